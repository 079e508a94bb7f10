// SPDX-License-Identifier: GPL-2.0-or-later
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

#include "runtime/image/store.h"
#include "runtime/image/variants.h"

/* The first that is written to: who may not is told where. */
static int no_lock(const struct image_store *store, struct error *err)
{
	char link[FD_PATH_MAX], path[PATH_MAX];
	int code = errno;
	ssize_t n = readlink(fd_path(store->images, link), path, sizeof(path) - 1);

	path[n > 0 ? n : 0] = 0;
	return error_set(err, code, "image store: write to %.250s: %s", path, strerror(code));
}

int store_use(struct image_store *store, struct error *err)
{
	_cleanup_close_ int lock = -EBADF;

	lock = openat(store->images, "use.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0)
		return no_lock(store, err);
	while (flock(lock, LOCK_SH) < 0)
		if (errno != EINTR)
			return error_errno(err, "image store: use.lock");
	return TAKE_FD(lock);
}

int staging_open(struct image_store *store, struct staging *ret, struct error *err)
{
	_cleanup_close_ int lock = -EBADF;
	struct staging staging = {.store = store, .dir = -EBADF, .use_lock = -EBADF};

	staging.use_lock = store_use(store, err);
	if (staging.use_lock < 0)
		return staging.use_lock;
	/* Sweeping tries the directory's lock under the store's: it never sees one without. */
	lock = fs_lock(store->images, "lock", err);
	if (lock >= 0)
		staging.dir = fs_mkdir_unique(store->layers, ".new-", &staging.name, err);
	if (staging.dir < 0) {
		close(staging.use_lock);
		return error_wrap(err, "image store");
	}
	(void)flock(staging.dir, LOCK_EX | LOCK_NB);
	staging.entries = json_array();
	*ret = staging;
	return 0;
}

void staging_done(struct staging *staging)
{
	struct error err = ERROR_INIT;

	if (!staging->store)
		return;
	if (staging->name && fs_remove_tree(staging->store->layers, staging->name, &err) < 0)
		log_debug("image store: %s", err.message);
	cleanup_close_fd(&staging->dir);
	cleanup_close_fd(&staging->use_lock);
	free(staging->name);
	map_done(&staging->blobs, free);
	map_done(&staging->layers, free);
	json_decref(staging->entries);
	staging->store = NULL;
}

int staging_file(struct staging *staging, char **ret_name, struct error *err)
{
	_cleanup_free_ char *name = str_printf("blob-%u", staging->next++);
	int fd = openat(staging->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return error_errno(err, "image store: %s", name);
	*ret_name = TAKE_PTR(name);
	return fd;
}

int staging_directory(struct staging *staging, char **ret_name, struct error *err)
{
	_cleanup_free_ char *name = str_printf("layer-%u", staging->next++);
	int fd;

	fd = fs_mkdir_open(staging->dir, name, 0755, err);
	if (fd < 0)
		return error_wrap(err, "image store: %s", name);
	*ret_name = TAKE_PTR(name);
	return fd;
}

void staging_add_blob(struct staging *staging, const char *hex, char *name)
{
	free(map_set(&staging->blobs, hex, name));
}

bool staging_has_blob(struct staging *staging, const char *hex)
{
	return map_get(&staging->blobs, hex) || store_has_blob(staging->store, hex);
}

int staging_open_blob(struct staging *staging, const char *hex, struct error *err)
{
	const char *name = map_get(&staging->blobs, hex);
	int fd;

	if (!name)
		return store_open_blob(staging->store, hex, err);
	fd = openat(staging->dir, name, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? error_errno(err, "blob sha256:%s", hex) : fd;
}

int staging_put_json(struct staging *staging, const json_t *json, char ret_digest[DIGEST_SIZE],
		     size_t *ret_size, struct error *err)
{
	_cleanup_free_ char *text = json_text(json), *name = NULL;
	_cleanup_close_ int fd = -EBADF;
	size_t size = strlen(text);
	int r;

	memcpy(ret_digest, "sha256:", 7);
	sha256_of(text, size, ret_digest + 7);
	*ret_size = size;
	if (staging_has_blob(staging, ret_digest + 7))
		return 0;
	fd = staging_file(staging, &name, err);
	if (fd < 0)
		return fd;
	r = fd_write_all(fd, text, size);
	if (r < 0)
		return error_code(err, r, "image store: write %s", ret_digest);
	staging_add_blob(staging, ret_digest + 7, TAKE_PTR(name));
	return 0;
}

int staging_add_layer(struct staging *staging, const char *chain, const char *diff_hex,
		      uint64_t tree_bytes, char *name, struct error *err)
{
	_cleanup_free_ char *text = NULL, *record = str_printf("%s.json", name);
	int r;

	text = str_printf("{\"diff_id\":\"sha256:%s\",\"size\":%llu}", diff_hex,
			  (unsigned long long)tree_bytes);
	r = fs_replace(staging->dir, record, text, strlen(text), FS_ATOMIC, err);
	if (r < 0) {
		free(name);
		return error_wrap(err, "layer %s", chain);
	}
	free(map_set(&staging->layers, chain, name));
	return 0;
}

bool staging_has_layer(struct staging *staging, const char *chain)
{
	return map_get(&staging->layers, chain) || store_has_layer(staging->store, chain);
}

void staging_add_entry(struct staging *staging, const json_t *descriptor, const char *reference)
{
	json_t *entry = json_object();

	json_object_set_new(entry, "descriptor", json_deep_copy(descriptor));
	json_put_string(entry, "reference", reference);
	json_array_append_new(staging->entries, entry);
}

/* Content must be on the disk before it bears a name that says it is whole. */
static int bring_to_disk(struct staging *staging, struct error *err)
{
	if (staging->layers.count) {
		if (syncfs(staging->dir) < 0)
			return error_errno(err, "image store: write to the disk");
		return 0;
	}
	map_foreach(blob, &staging->blobs) {
		_cleanup_close_ int fd = staging_open_blob(staging, blob->key, err);

		if (fd < 0)
			return fd;
		if (fsync(fd) < 0)
			return error_errno(err, "image store: write to the disk");
	}
	return 0;
}

static int publish_blobs(struct staging *staging, struct error *err)
{
	map_foreach(blob, &staging->blobs) {
		if (renameat(staging->dir, blob->value, staging->store->blobs, blob->key) < 0)
			return error_errno(err, "image store: blob %s", blob->key);
	}
	return 0;
}

static int publish_layer(struct staging *staging, const char *chain, const char *name,
			 struct error *err)
{
	_cleanup_free_ char *staged = str_printf("%s.json", name);
	_cleanup_free_ char *record = str_printf("%s.json", chain);
	int layers = staging->store->layers;

	/* Another process may have been faster; its layer is the same. */
	if (store_has_layer(staging->store, chain))
		return 0;
	if (renameat(staging->dir, staged, layers, record) < 0)
		return error_errno(err, "image store: layer %s", chain);
	if (renameat2(staging->dir, name, layers, chain, RENAME_NOREPLACE) < 0 && errno != EEXIST)
		return error_errno(err, "image store: layer %s", chain);
	return 0;
}

int staging_commit(struct staging *staging, struct error *err)
{
	struct image_store *store = staging->store;
	_cleanup_close_ int lock = -EBADF;
	json_t *entry;
	size_t i;
	int r;

	r = bring_to_disk(staging, err);
	if (r < 0)
		return r;
	lock = store_lock(store, err);
	if (lock < 0)
		return lock;
	r = publish_blobs(staging, err);
	if (r < 0)
		return r;
	map_foreach(layer, &staging->layers) {
		r = publish_layer(staging, layer->key, layer->value, err);
		if (r < 0)
			return r;
	}
	if (fsync(store->blobs) < 0 || fsync(store->layers) < 0)
		return error_errno(err, "image store: write to the disk");
	json_array_foreach(staging->entries, i, entry) {
		store_add_entry(store, json_object_get(entry, "descriptor"),
				json_get_string(entry, "reference"));
		variants_absorb(store, json_object_get(entry, "descriptor"));
	}
	r = store_write_index(store, err);
	if (r < 0)
		return r;
	/* It may go on with the next image. */
	map_done(&staging->blobs, free);
	map_done(&staging->layers, free);
	json_array_clear(staging->entries);
	return 0;
}

static void sweep_one(struct image_store *store, const char *name)
{
	_cleanup_close_ int lock = -EBADF, dir = -EBADF;
	struct error err = ERROR_INIT;

	lock = fs_lock(store->images, "lock", &err);
	if (lock < 0)
		return;
	dir = openat(store->layers, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || flock(dir, LOCK_EX | LOCK_NB) < 0)
		return;
	/* Ours now; nobody needs to wait while it is emptied. */
	close(TAKE_FD(lock));
	if (fs_remove_tree(store->layers, name, &err) < 0)
		log_debug("image store: %s: %s", name, err.message);
}

void store_sweep(struct image_store *store)
{
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *entry;
	int fd = openat(store->layers, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = fd < 0 ? NULL : fdopendir(fd);
	while (dir && (entry = readdir(dir)))
		if (str_starts_with(entry->d_name, ".new-"))
			sweep_one(store, entry->d_name);
}
