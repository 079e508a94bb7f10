/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_IMAGE_H
#define RUNTIME_IMAGE_IMAGE_H

/*
 * image.h - images: an OCI image layout on disk, and layers unpacked once for all containers.
 *
 *     images/index.json, images/oci-layout, images/blobs/sha256/...
 *     layers/CHAINID/    the tree of one layer (overlay whiteouts and opaque xattrs included)
 *
 * An image is there once index.json names it, which is the last thing that happens; index.json
 * is replaced by rename under the store's lock. A layer is there once its directory bears its
 * final name. What a killed process leaves (.new-*) is swept when nobody holds its lock.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct image_store;

/* @root is BERTH_ROOT; made when missing. */
int image_store_open(const char *root, struct image_store **ret, struct error *err);
void image_store_close(struct image_store *store);

struct image_healthcheck {
	char **test; /* as in the image's config; NULL: none */
	int64_t interval_usec, timeout_usec, start_period_usec, start_interval_usec; /* 0: unset */
	int retries;
};

/* What a container needs of an image. Owned; image_free(). */
struct image {
	char *id;            /* "sha256:..." of the config: Docker's image ID */
	char *digest;        /* of the manifest */
	char *target;        /* of the index that the registry has under this name, or NULL */
	int64_t pulled_nsec; /* when the registry was last asked for it; 0: never */
	char *reference;     /* as asked for, normalised: "docker.io/library/nginx:alpine" */
	char *architecture, *os;
	int64_t created_nsec;
	uint64_t size_bytes;
	/* config */
	char **entrypoint, **command, **env;
	char *user, *working_dir, *stop_signal;
	char **volumes, **exposed_ports; /* paths; "80/tcp" */
	char **shell;
	json_t *labels; /* object of strings */
	struct image_healthcheck healthcheck;
	char **layer_chain_ids; /* base first, hex */
};

/*
 * Finds by name ("nginx", "nginx:alpine", "docker.io/library/nginx", with @sha256:...) or by id
 * (full, "sha256:" or unambiguous prefix). -ENOENT: no such image.
 */
int image_find(struct image_store *store, const char *name, struct image **ret, struct error *err);
void image_free(struct image *image);

/*
 * As image_find(), for a platform ("linux/arm64"; NULL and "": as image_find()), which may be one
 * of several that the name stands for. -ENOENT: there is no such image, or not for it.
 */
int image_find_platform(struct image_store *store, const char *name, const char *platform,
			struct image **ret, struct error *err);

/* One platform of what a name stands for. */
struct image_variant {
	char *platform, *id, *digest;       /* "linux/arm/v7"; of its config; of its manifest */
	uint64_t size_bytes, content_bytes; /* unpacked, and of its blobs */
};

/* All of them, this image's own first. The caller's to free, image_variants_free(). */
int image_variants(struct image_store *store, const struct image *image, struct image_variant **ret,
		   size_t *ret_count, struct error *err);
void image_variants_free(struct image_variant *variants, size_t count);
/* The ids of all images that the name of this one stands for, its own first. New list. */
char **image_all_ids(struct image_store *store, const struct image *image);

/* The image's whole configuration, as its maker wrote it (OCI image-spec config.md). New. */
int image_read_config(struct image_store *store, const struct image *image, json_t **ret,
		      struct error *err);
/* Of one of its layer_chain_ids: the bytes of the files in it. */
uint64_t image_layer_bytes(struct image_store *store, const char *chain);

/* Opens the unpacked layers, topmost first: what rootfs_spec wants. Caller closes and frees. */
int image_open_layers(struct image_store *store, const struct image *image, int **ret_fds,
		      size_t *ret_count, struct error *err);

/* Rows for `images`: one a reference (untagged ones have reference NULL). */
int image_list(struct image_store *store, struct image ***ret, size_t *ret_count,
	       struct error *err);
/* The rows of one image, which reads none of the others. */
int image_list_names(struct image_store *store, const char *id, struct image ***ret,
		     size_t *ret_count, struct error *err);

int image_tag(struct image_store *store, const char *name, const char *reference,
	      struct error *err);
/*
 * From here until the fd is closed no image is removed; -ENOENT: @image already was. Whoever
 * creates a container holds it until the container's record is on the disk, where removal looks.
 * Waits for a removal under way: for its decision, not until all bytes are gone.
 */
int image_hold(struct image_store *store, const struct image *image, struct error *err);

struct image_user {
	char *image_id, *container; /* id, and the container's name */
	bool running;
};

/* Who needs which images: asked under the lock that image_hold() waits for. */
struct image_users {
	/* A new list, of new strings. An error: nothing is removed. */
	int (*list)(void *data, struct image_user **ret, size_t *ret_count, struct error *err);
	void *data;
};

void image_users_free(struct image_user *users, size_t count);

/*
 * Removes a reference, and with the last one the image, its blobs and its layers that no other
 * image needs. What a container uses stays, without a name when @force takes the last one.
 * -EBUSY with who uses it. *ret_removed lists "Untagged: x", "Deleted: sha256:x". @users NULL:
 * nobody.
 */
int image_remove(struct image_store *store, const char *name, bool force,
		 const struct image_users *users, char ***ret_removed, struct error *err);
/* Only what has no name (@image of image_list()): the same content under a name stays. */
int image_remove_unnamed(struct image_store *store, const struct image *image,
			 const struct image_users *users, char ***ret_removed, struct error *err);

/* What `image import` may say of the config, in Dockerfile words ("CMD [\"x\"]", "ENV A=b", ...).
 */
struct image_import_options {
	const char *reference; /* name to give; NULL: none */
	const char *message, *platform, *author;
	char *const *changes; /* -c */
};

/* A root file system (a tar of any compression from @fd, or the directory that @fd is). */
int image_import(struct image_store *store, int fd, const struct image_import_options *options,
		 char **ret_id, struct error *err);

/*
 * An archive of `docker save` or an OCI layout (tar, or the directory). Of an index the image for
 * @platform (NULL: what suits this machine best). Names loaded, "x:tag".
 */
int image_load(struct image_store *store, int fd, const char *platform, char ***ret_loaded,
	       struct error *err);

enum image_save_format { IMAGE_SAVE_DOCKER, IMAGE_SAVE_OCI };
/* @platform NULL: each as it is, with all platforms that its name stands for. */
int image_save(struct image_store *store, char *const *names, enum image_save_format format,
	       const char *platform, int fd, struct error *err);
/* The image @id, called @references in the archive (none: without a name), whatever it is here. */
int image_save_as(struct image_store *store, const char *id, char *const *references,
		  enum image_save_format format, int fd, struct error *err);

/* Reference as Docker shows it: repository ("nginx", "ghcr.io/a/b") and tag. New strings. */
int reference_parse(const char *name, char **ret_normalized, struct error *err);
void reference_familiar(const char *normalized, char **ret_repository, char **ret_tag);

#endif
