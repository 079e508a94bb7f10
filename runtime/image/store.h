/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_STORE_H
#define RUNTIME_IMAGE_STORE_H

/*
 * store.h - the store's inside: its folders and locks, index.json, and staging.
 *
 * Two locks. "lock" is held for the moment in which index.json is changed. "use.lock" is held
 * shared while content is added, and exclusively while what nobody names is collected, so that
 * a layer found present stays present until the image that needs it is in the index. Whoever
 * needs both takes "use.lock" first.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/error.h"
#include "common/map.h"
#include "common/sha256.h"

#include "runtime/image/image.h"

#define BLOB_CHECKED_MAX  (1 << 20) /* store_has_blob() reads what is not larger */
#define IMAGE_JSON_MAX    (8 << 20) /* a manifest or config, as in containerd */
#define IMAGE_LAYERS_MAX  256
#define ANNOTATION_NAME   "io.containerd.image.name"
#define ANNOTATION_REF    "org.opencontainers.image.ref.name"
#define ANNOTATION_TARGET "berth.registry.digest" /* what its name meant there: an index */
#define ANNOTATION_TIME   "berth.registry.time"   /* when that was last asked: unix seconds */
#define ANNOTATION_ID                                                               \
	"berth.image.id" /* its config's digest, so that nothing is read to find it \
			  */
#define MEDIA_OCI_INDEX    "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_CONFIG   "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER    "application/vnd.oci.image.layer.v1.tar"
#define DIGEST_SIZE        (7 + SHA256_HEX_SIZE) /* "sha256:", 64 digits, NUL */

struct image_store {
	int root, images, blobs, layers; /* directories; blobs is images/blobs/sha256 */

	json_t *index;          /* as last read */
	struct stat index_stat; /* of the file it was read from */
	int index_fd; /* held open, so that its inode number is not given to another file */
	struct map by_reference; /* normalised name to its descriptor in @index */
	struct map decoded;      /* manifest digest to struct image without a reference */
};

/* Reads index.json when it is another one than last time. */
int store_refresh(struct image_store *store, struct error *err);
/* The array of descriptors. Borrowed. */
json_t *store_manifests(struct image_store *store);
/* The name a descriptor bears, normalised, or NULL. */
char *store_descriptor_name(const json_t *descriptor);
/* The digest of the index that it was pulled by, or NULL. Borrowed. */
const char *store_descriptor_target(const json_t *descriptor);

/* The id of the image that an entry of the index is; NULL: it is damaged. Borrowed. */
const char *store_descriptor_id(struct image_store *store, const json_t *descriptor);

/* Takes the lock and refreshes; the fd ends it. */
int store_lock(struct image_store *store, struct error *err);
/* Under the lock: writes store->index. */
int store_write_index(struct image_store *store, struct error *err);
/* Under the lock: names @digest's image @reference (NULL: keeps it without a name). */
void store_add_entry(struct image_store *store, const json_t *descriptor, const char *reference);
/* Whether nothing is lost of @entry when only @other stays. */
bool store_entry_covers(const json_t *other, const json_t *entry);
/* "users.lock", LOCK_SH or LOCK_EX: see image_hold(). */
int store_lock_users(struct image_store *store, int how, struct error *err);
/* -EBUSY: a container was made from the image @id. Under that lock. */
int store_check_user(const char *id, const struct image_users *users, struct error *err);
/* Keeps what is there until the fd is closed; waits for a collection that is going on. */
int store_use(struct image_store *store, struct error *err);
/*
 * Takes blobs and layers that no entry needs out of their places, unless content is being added
 * just now. What they are deleted from is *ret_doomed (new; NULL: there are none), which takes
 * its time and no lock.
 */
int store_take_out(struct image_store *store, char **ret_doomed, struct error *err);
/* Both. */
int store_collect(struct image_store *store, struct error *err);
void store_delete_doomed(struct image_store *store, const char *doomed);

/* 64 hex digits of "sha256:...", inside @digest; NULL when it is not one. */
const char *digest_hex(const char *digest);
bool is_hex(const char *s, size_t n);
/* The chain id of @diff_hex upon @parent (NULL or "": the base). */
void chain_id(const char *parent, const char *diff_hex, char ret_hex[SHA256_HEX_SIZE]);

/* A JSON blob of the store, its digest verified. -ENOENT: not there. */
int store_read_json(struct image_store *store, const char *digest, json_t **ret, struct error *err);
int store_open_blob(struct image_store *store, const char *hex, struct error *err);
/* A small one, as manifests and configs are, only when it is whole: a damaged one is stored anew.
 */
bool store_has_blob(struct image_store *store, const char *hex);
bool store_has_layer(struct image_store *store, const char *chain);

/* The decoded image of a manifest, from memory when it was met before. Borrowed. */
int store_decode(struct image_store *store, const char *manifest_digest, struct image **ret,
		 struct error *err);
/* @entry: of the index, for what is said there of the name; may be NULL. */
struct image *image_copy(const struct image *image, const char *reference, const json_t *entry);
/* The descriptor that @name means. Borrowed from the index. */
int store_lookup(struct image_store *store, const char *name, json_t **ret, char **ret_reference,
		 struct error *err);

/*
 * Content on its way in: everything lies in layers/.new-* until staging_commit(), which first
 * brings it to the disk and only then gives it its final names, so that what bears a digest's
 * name is whole even after a power cut.
 */
struct staging {
	struct image_store *store;
	int dir, use_lock;
	char *name;
	unsigned int next;
	struct map blobs, layers; /* hex to name below dir */
	json_t *entries;          /* of {"descriptor", "reference"} */
};

int staging_open(struct image_store *store, struct staging *ret, struct error *err);
void staging_done(struct staging *staging);
/* A new file; its name below staging->dir in @ret_name. */
int staging_file(struct staging *staging, char **ret_name, struct error *err);
int staging_directory(struct staging *staging, char **ret_name, struct error *err);
/* A staged file becomes blob @hex; takes @name. */
void staging_add_blob(struct staging *staging, const char *hex, char *name);
bool staging_has_blob(struct staging *staging, const char *hex);
int staging_open_blob(struct staging *staging, const char *hex, struct error *err);
int staging_put_json(struct staging *staging, const json_t *json, char ret_digest[DIGEST_SIZE],
		     size_t *ret_size, struct error *err);
/* A staged directory becomes the layer @chain; takes @name. */
int staging_add_layer(struct staging *staging, const char *chain, const char *diff_hex,
		      uint64_t tree_bytes, char *name, struct error *err);
bool staging_has_layer(struct staging *staging, const char *chain);
void staging_add_entry(struct staging *staging, const json_t *descriptor, const char *reference);
/* May be called again, for what was staged since. */
int staging_commit(struct staging *staging, struct error *err);

/* Removes what killed processes left in layers/. */
void store_sweep(struct image_store *store);

#endif
