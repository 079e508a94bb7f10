// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"

#include "runtime/image/variants.h"

#define INDEX_MAX     (64 << 20)
#define LAYOUT_TEXT   "{\"imageLayoutVersion\":\"1.0.0\"}"
#define INDEX_VERSION 2

bool is_hex(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
			return false;
	return true;
}

const char *digest_hex(const char *digest)
{
	if (!digest || strncmp(digest, "sha256:", 7) != 0 || strlen(digest) != 7 + 64 ||
	    !is_hex(digest + 7, 64))
		return NULL;
	return digest + 7;
}

void chain_id(const char *parent, const char *diff_hex, char ret_hex[SHA256_HEX_SIZE])
{
	char text[2 * DIGEST_SIZE + 2];
	int n;

	if (!parent || !*parent) {
		memcpy(ret_hex, diff_hex, SHA256_HEX_SIZE);
		return;
	}
	n = snprintf(text, sizeof(text), "sha256:%s sha256:%s", parent, diff_hex);
	sha256_of(text, (size_t)n, ret_hex);
}

/* Closed to others: layers hold setuid programs, as old as their images are. */
static int open_folder(int dirfd, const char *name, struct error *err)
{
	int fd = fs_mkdir_open(dirfd, name, 0700, err);

	return fd < 0 ? error_wrap(err, "image store: %s", name) : fd;
}

static int open_folders(struct image_store *store, const char *root, struct error *err)
{
	_cleanup_close_ int blobs = -EBADF;

	store->root = fs_mkdir_path(root, 0711, err);
	if (store->root < 0)
		return error_wrap(err, "image store");
	store->images = open_folder(store->root, "images", err);
	if (store->images < 0)
		return store->images;
	store->layers = open_folder(store->root, "layers", err);
	if (store->layers < 0)
		return store->layers;
	blobs = open_folder(store->images, "blobs", err);
	if (blobs < 0)
		return blobs;
	store->blobs = open_folder(blobs, "sha256", err);
	return store->blobs < 0 ? store->blobs : 0;
}

static int write_layout(struct image_store *store, struct error *err)
{
	if (faccessat(store->images, "oci-layout", F_OK, 0) == 0)
		return 0;
	return fs_replace(store->images, "oci-layout", LAYOUT_TEXT, strlen(LAYOUT_TEXT), FS_ATOMIC,
			  err);
}

int image_store_open(const char *root, struct image_store **ret, struct error *err)
{
	struct image_store *store = new (struct image_store);
	int r;

	store->root = store->images = store->blobs = store->layers = store->index_fd = -EBADF;
	r = open_folders(store, root, err);
	if (r == 0)
		r = write_layout(store, err);
	if (r < 0) {
		image_store_close(store);
		return error_wrap(err, "%s", root);
	}
	store_sweep(store);
	*ret = store;
	return 0;
}

static void free_image(void *image)
{
	image_free(image);
}

static void forget_index(struct image_store *store)
{
	map_done(&store->by_reference, NULL);
	json_decref(store->index);
	store->index = NULL;
	cleanup_close_fd(&store->index_fd);
	store->index_fd = -EBADF;
}

void image_store_close(struct image_store *store)
{
	if (!store)
		return;
	forget_index(store);
	map_done(&store->decoded, free_image);
	cleanup_close_fd(&store->layers);
	cleanup_close_fd(&store->blobs);
	cleanup_close_fd(&store->images);
	cleanup_close_fd(&store->root);
	free(store);
}

static json_t *empty_index(void)
{
	return json_pack("{s:i, s:s, s:[]}", "schemaVersion", INDEX_VERSION, "mediaType",
			 MEDIA_OCI_INDEX, "manifests");
}

json_t *store_manifests(struct image_store *store)
{
	return json_object_get(store->index, "manifests");
}

char *store_descriptor_name(const json_t *descriptor)
{
	const json_t *annotations = json_object_get(descriptor, "annotations");
	const char *name = json_get_string(annotations, ANNOTATION_NAME);
	struct error ignored = ERROR_INIT;
	char *normalized = NULL;

	if (!name)
		name = json_get_string(annotations, ANNOTATION_REF);
	if (!name || reference_parse(name, &normalized, &ignored) < 0)
		return NULL;
	return normalized;
}

const char *store_descriptor_target(const json_t *descriptor)
{
	const char *target =
		json_get_string(json_object_get(descriptor, "annotations"), ANNOTATION_TARGET);

	return digest_hex(target) ? target : NULL;
}

const char *store_descriptor_id(struct image_store *store, const json_t *descriptor)
{
	const char *id = json_get_string(json_object_get(descriptor, "annotations"), ANNOTATION_ID);
	struct error ignored = ERROR_INIT;
	struct image *image;

	if (digest_hex(id))
		return id;
	/* Of an entry that somebody else made, or an older berth. */
	if (store_decode(store, json_get_string(descriptor, "digest"), &image, &ignored) < 0)
		return NULL;
	return image->id;
}

static void remember_names(struct image_store *store)
{
	size_t i;
	json_t *descriptor;

	json_array_foreach(store_manifests(store), i, descriptor) {
		_cleanup_free_ char *name = store_descriptor_name(descriptor);

		if (name)
			map_set(&store->by_reference, name, descriptor);
	}
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int read_index(int fd, const struct stat *st, json_t **ret, struct error *err)
{
	_cleanup_free_ char *data = NULL;
	ssize_t n;

	if (st->st_size > INDEX_MAX)
		return error_set(err, EFBIG, "it is larger than %d MiB", INDEX_MAX >> 20);
	data = alloc((size_t)st->st_size + 1);
	n = fd_read_full(fd, data, (size_t)st->st_size);
	if (n < 0)
		return error_code(err, (int)n, "read it");
	if (json_parse(data, (size_t)n, ret, err) < 0)
		return -err->code;
	if (!json_is_array(json_object_get(*ret, "manifests")))
		return error_set(err, EBADMSG, "it has no list of manifests");
	return 0;
}

static int damaged_index(struct error *err)
{
	struct error why = *err;

	return error_set(err, why.code,
			 "image store: images/index.json is damaged (%.150s): move it away, then "
			 "pull or load the images again",
			 why.message);
}

int store_refresh(struct image_store *store, struct error *err)
{
	_cleanup_json_ json_t *index = NULL;
	_cleanup_close_ int fd = -EBADF;
	struct stat st = {0};
	int r;

	if (fstatat(store->images, "index.json", &st, 0) < 0 && errno != ENOENT)
		return error_errno(err, "image store: index.json");
	if (store->index && same_file(&st, &store->index_stat))
		return 0;
	fd = openat(store->images, "index.json", O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		return error_errno(err, "image store: index.json");
	if (fd < 0) {
		st = (struct stat){0};
		index = empty_index();
	} else {
		if (fstat(fd, &st) < 0)
			return error_errno(err, "image store: index.json");
		r = read_index(fd, &st, &index, err);
		if (r < 0)
			return damaged_index(err);
	}
	forget_index(store);
	store->index = TAKE_PTR(index);
	store->index_fd = TAKE_FD(fd);
	store->index_stat = st;
	remember_names(store);
	return 0;
}

int store_lock(struct image_store *store, struct error *err)
{
	_cleanup_close_ int lock = -EBADF;
	int r;

	lock = fs_lock(store->images, "lock", err);
	if (lock < 0)
		return error_wrap(err, "image store");
	r = store_refresh(store, err);
	return r < 0 ? r : TAKE_FD(lock);
}

int store_write_index(struct image_store *store, struct error *err)
{
	_cleanup_free_ char *text = json_text(store->index);
	int r;

	r = fs_replace(store->images, "index.json", text, strlen(text), FS_DURABLE, err);
	/* Whatever happened, what is in memory may differ from the file. */
	forget_index(store);
	return r < 0 ? error_wrap(err, "image store: index.json") : 0;
}

static void set_name(json_t *descriptor, const char *reference)
{
	json_t *annotations = json_object_get(descriptor, "annotations");

	if (!annotations) {
		annotations = json_object();
		json_object_set_new(descriptor, "annotations", annotations);
	}
	json_object_del(annotations, ANNOTATION_NAME);
	json_object_del(annotations, ANNOTATION_REF);
	json_put_string(annotations, ANNOTATION_NAME, reference);
	json_put_string(annotations, ANNOTATION_REF, reference);
}

/* Whatever an archive's index says there. */
static void set_id(struct image_store *store, json_t *descriptor)
{
	json_t *annotations = json_object_get(descriptor, "annotations");

	json_object_del(annotations, ANNOTATION_ID);
	json_put_string(annotations, ANNOTATION_ID, store_descriptor_id(store, descriptor));
}

bool store_entry_covers(const json_t *other, const json_t *entry)
{
	const char *index = store_descriptor_index(entry);

	return str_equal(json_get_string(other, "digest"), json_get_string(entry, "digest")) &&
	       (!index || str_equal(store_descriptor_index(other), index));
}

/* Takes @reference from whoever bears it; that image stays, under another name or without. */
static void take_name(struct image_store *store, const char *reference)
{
	json_t *list = store_manifests(store), *descriptor, *other;
	size_t i, j;

	json_array_foreach(list, i, descriptor) {
		_cleanup_free_ char *name = store_descriptor_name(descriptor);
		bool elsewhere = false;

		if (!str_equal(name, reference))
			continue;
		json_array_foreach(list, j, other)
			if (j != i && store_entry_covers(other, descriptor))
				elsewhere = true;
		if (elsewhere)
			json_array_remove(list, i);
		else
			set_name(descriptor, NULL);
		return;
	}
}

/* An entry without a name is of no use beside one that has one. */
static void drop_unnamed(struct image_store *store, const json_t *named)
{
	json_t *list = store_manifests(store);

	for (size_t i = json_array_size(list); i-- > 0;) {
		json_t *descriptor = json_array_get(list, i);
		_cleanup_free_ char *name = store_descriptor_name(descriptor);

		if (!name && store_entry_covers(named, descriptor))
			json_array_remove(list, i);
	}
}

static bool has_entry(struct image_store *store, const json_t *wanted)
{
	json_t *descriptor;
	size_t i;

	json_array_foreach(store_manifests(store), i, descriptor)
		if (store_entry_covers(descriptor, wanted))
			return true;
	return false;
}

void store_add_entry(struct image_store *store, const json_t *descriptor, const char *reference)
{
	json_t *entry;

	if (!reference && has_entry(store, descriptor))
		return;
	if (reference)
		take_name(store, reference);
	drop_unnamed(store, descriptor);
	entry = json_deep_copy(descriptor);
	set_name(entry, reference);
	set_id(store, entry);
	json_array_append_new(store_manifests(store), entry);
}

int store_open_blob(struct image_store *store, const char *hex, struct error *err)
{
	int fd = openat(store->blobs, hex, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? error_errno(err, "blob sha256:%s", hex) : fd;
}

bool store_has_blob(struct image_store *store, const char *hex)
{
	_cleanup_free_ char *data = NULL;
	struct error err = ERROR_INIT;
	char actual[SHA256_HEX_SIZE];
	size_t size;
	int r = fs_read(store->blobs, hex, BLOB_CHECKED_MAX, &data, &size, &err);

	if (r == -EFBIG)
		return true;
	if (r < 0)
		return false;
	sha256_of(data, size, actual);
	return !strcmp(actual, hex);
}

bool store_has_layer(struct image_store *store, const char *chain)
{
	return faccessat(store->layers, chain, F_OK, 0) == 0;
}

int store_read_json(struct image_store *store, const char *digest, json_t **ret, struct error *err)
{
	_cleanup_free_ char *data = NULL;
	const char *hex = digest_hex(digest);
	char actual[SHA256_HEX_SIZE];
	size_t size;
	int r;

	if (!hex)
		return error_set(err, EBADMSG, "image store: '%.80s' is not a sha256 digest",
				 digest ? digest : "");
	r = fs_read(store->blobs, hex, IMAGE_JSON_MAX, &data, &size, err);
	if (r == -ENOENT)
		return error_set(err, ENOENT,
				 "images/blobs/sha256/%s is missing: pull or load the image again",
				 hex);
	if (r < 0)
		return error_wrap(err, "blob %s", digest);
	sha256_of(data, size, actual);
	if (strcmp(actual, hex) != 0)
		return error_set(err, EBADMSG,
				 "images/blobs/sha256/%s is damaged: pull or load the image again",
				 hex);
	r = json_parse(data, size, ret, err);
	return r < 0 ? error_wrap(err, "blob %s", digest) : 0;
}
