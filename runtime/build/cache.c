// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/build/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/build/build.h"

#define RECORD_MAX 65536

static char *record_name(const char *key)
{
	return str_printf("cache/%s.json", key);
}

bool cache_has(int build_dir, const char *key)
{
	_cleanup_free_ char *name = record_name(key);

	return faccessat(build_dir, name, F_OK, 0) == 0;
}

static bool take_hex(const json_t *record, const char *key, char ret[SHA256_HEX_SIZE])
{
	const char *hex = json_get_string(record, key);

	ret[0] = '\0';
	if (!hex || !*hex)
		return hex != NULL;
	if (!is_hex(hex, 64) || hex[64])
		return false;
	memcpy(ret, hex, SHA256_HEX_SIZE);
	return true;
}

int cache_find(int build_dir, struct image_store *store, const char *key, struct cache_record *ret)
{
	_cleanup_free_ char *name = record_name(key);
	_cleanup_json_ json_t *record = NULL;
	struct error ignored = ERROR_INIT;

	if (json_read(build_dir, name, RECORD_MAX, &record, &ignored) < 0)
		return -ENOENT;
	if (!take_hex(record, "diff", ret->diff) || !take_hex(record, "chain", ret->chain))
		return -ENOENT;
	if (*ret->chain && !store_has_layer(store, ret->chain))
		return -ENOENT;
	ret->tree_bytes = (uint64_t)json_get_int(record, "bytes", 0);
	ret->created_nsec = json_get_int(record, "created", 0);
	(void)utimensat(build_dir, name, NULL, 0);
	return 0;
}

int cache_put(int build_dir, const char *key, const struct cache_record *record, const char *text,
	      struct error *err)
{
	_cleanup_free_ char *name = record_name(key), *line = NULL;
	_cleanup_json_ json_t *json = json_object();
	size_t width = strcspn(text, "\n");
	_cleanup_free_ char *first = alloc_string_n(text, width < 200 ? width : 200);

	json_put_string(json, "diff", record->diff);
	json_put_string(json, "chain", record->chain);
	json_put_int(json, "bytes", (int64_t)record->tree_bytes);
	json_put_int(json, "created", record->created_nsec);
	if (str_is_utf8(first, strlen(first)))
		json_put_string(json, "step", first);
	line = json_text(json);
	return fs_replace(build_dir, name, line, strlen(line), FS_ATOMIC, err);
}

static int open_mount_folder(int root, const char *name, const struct run_mount *mount,
			     int *ret_lock, bool *ret_fresh, bool wait, struct error *err)
{
	_cleanup_free_ char *path = str_printf("build/mounts/%s", name), *text = NULL;
	_cleanup_close_ int folder = -EBADF, lock = -EBADF, data = -EBADF;
	_cleanup_json_ json_t *record = json_object();
	int mode = mount->sharing == SHARING_SHARED ? LOCK_SH : LOCK_EX;

	folder = fs_mkdir_open(root, path, 0700, err);
	if (folder < 0)
		return folder;
	lock = openat(folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0)
		return error_errno(err, "its lock");
	while (flock(lock, mode | (wait ? 0 : LOCK_NB)) < 0)
		if (errno != EINTR)
			return error_errno(err, "its lock");
	*ret_fresh = mkdirat(folder, "data", 0700) == 0;
	data = fs_open_dir(folder, "data", err);
	if (data < 0)
		return data;
	if (*ret_fresh && (fchown(data, mount->uid, mount->gid) < 0 ||
			   fchmod(data, mount->has_mode ? mount->mode : 0755) < 0))
		return error_errno(err, "make it");
	json_put_string(record, "id", mount->id);
	text = json_text(record);
	if (fs_replace(folder, "mount.json", text, strlen(text), FS_ATOMIC, err) < 0)
		return -err->code;
	*ret_lock = TAKE_FD(lock);
	return TAKE_FD(data);
}

int cache_mount_open(int root, const struct run_mount *mount, int *ret_lock, bool *ret_fresh,
		     struct error *err)
{
	char hex[SHA256_HEX_SIZE];
	int fd;

	sha256_of(mount->id, strlen(mount->id), hex);
	for (unsigned int i = 0; i < 1000; i++) {
		_cleanup_free_ char *name = i ? str_printf("%s-%u", hex, i) : alloc_string(hex);

		fd = open_mount_folder(root, name, mount, ret_lock, ret_fresh,
				       mount->sharing != SHARING_PRIVATE, err);
		/* A private one that is in use: another is made. */
		if (fd != -EWOULDBLOCK || mount->sharing != SHARING_PRIVATE)
			return fd;
		error_clear(err);
	}
	return error_set(err, EBUSY, "too many builds use it");
}

static uint64_t tree_size(int dir, const char *name, int depth)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_strv_ char **names = NULL;
	struct error ignored = ERROR_INIT;
	uint64_t sum = 0;
	struct stat st;

	if (fd < 0)
		return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0
			       ? (uint64_t)st.st_blocks * 512
			       : 0;
	if (depth > 128 || fs_list(fd, ".", &names, &ignored) < 0)
		return 0;
	strv_foreach(entry, names)
		sum += tree_size(fd, entry, depth + 1);
	return sum;
}

static void list_records(int dir, struct cache_entry **entries, size_t *count)
{
	_cleanup_strv_ char **names = NULL;
	struct error ignored = ERROR_INIT;

	if (fs_list(dir, "cache", &names, &ignored) < 0)
		return;
	strv_foreach(name, names) {
		_cleanup_free_ char *path = str_printf("cache/%s", name);
		_cleanup_json_ json_t *record = NULL;
		struct cache_entry *entry;
		struct stat st;

		if (!str_ends_with(name, ".json") || fstatat(dir, path, &st, 0) < 0 ||
		    json_read(dir, path, RECORD_MAX, &record, &ignored) < 0)
			continue;
		entry = array_add(*entries, *count);
		entry->key = alloc_string_n(name, strlen(name) - strlen(".json"));
		entry->text = alloc_string(json_get_string(record, "step") ?: "");
		entry->bytes = (uint64_t)json_get_int(record, "bytes", 0);
		entry->used_nsec = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	}
}

static void list_mounts(int dir, struct cache_entry **entries, size_t *count)
{
	_cleanup_strv_ char **names = NULL;
	struct error ignored = ERROR_INIT;

	if (fs_list(dir, "mounts", &names, &ignored) < 0)
		return;
	strv_foreach(name, names) {
		_cleanup_free_ char *path = str_printf("mounts/%s/mount.json", name);
		_cleanup_free_ char *data = str_printf("mounts/%s/data", name);
		_cleanup_json_ json_t *record = NULL;
		struct cache_entry *entry;
		struct stat st;

		if (fstatat(dir, path, &st, 0) < 0)
			continue;
		(void)json_read(dir, path, RECORD_MAX, &record, &ignored);
		entry = array_add(*entries, *count);
		entry->mount = true;
		entry->key = alloc_string(name);
		entry->text = str_printf("cache mount %s", json_get_string(record, "id") ?: "?");
		entry->bytes = tree_size(dir, data, 0);
		entry->used_nsec = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	}
}

static int later_first(const void *a, const void *b)
{
	const struct cache_entry *x = a, *y = b;

	return x->used_nsec < y->used_nsec ? 1 : x->used_nsec > y->used_nsec ? -1 : 0;
}

int cache_list(const char *root, struct cache_entry **ret, size_t *ret_count, struct error *err)
{
	_cleanup_free_ char *path = str_printf("%s/build", root);
	_cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*ret = NULL;
	*ret_count = 0;
	if (dir < 0)
		return errno == ENOENT ? 0 : error_errno(err, "build cache: %s", path);
	list_records(dir, ret, ret_count);
	list_mounts(dir, ret, ret_count);
	if (*ret_count)
		qsort(*ret, *ret_count, sizeof(**ret), later_first);
	return 0;
}

void cache_list_free(struct cache_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(entries[i].key);
		free(entries[i].text);
	}
	free(entries);
}

/* Renamed first, under its lock: a build that comes now makes a new one. */
static bool remove_mount(int dir, const char *name)
{
	_cleanup_free_ char *lock_path = str_printf("mounts/%s/lock", name), *doomed = NULL;
	_cleanup_close_ int lock = openat(dir, lock_path, O_RDWR | O_CLOEXEC);
	_cleanup_free_ char *path = str_printf("mounts/%s", name);
	struct error err = ERROR_INIT;
	char hex[17];

	if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) < 0)
		return false;
	fs_random_hex(hex, 8);
	doomed = str_printf("gone-%s", hex);
	if (renameat(dir, path, dir, doomed) < 0)
		return false;
	if (fs_remove_tree(dir, doomed, &err) < 0)
		log_debug("build cache: %s", err.message);
	return true;
}

static bool remove_entry(int dir, const struct cache_entry *entry)
{
	_cleanup_free_ char *name = NULL;

	if (entry->mount)
		return remove_mount(dir, entry->key);
	name = record_name(entry->key);
	return unlinkat(dir, name, 0) == 0;
}

/* What may stay when only so much has to become free. */
static uint64_t bytes_to_keep(int dir, const struct cache_prune_options *options,
			      const struct cache_entry *entries, size_t count)
{
	uint64_t all = 0, available, missing;
	struct statvfs fs;

	if (!options->free_bytes || fstatvfs(dir, &fs) < 0)
		return options->keep_bytes;
	for (size_t i = 0; i < count; i++)
		all += entries[i].bytes;
	available = (uint64_t)fs.f_bavail * fs.f_frsize;
	missing = available < options->free_bytes ? options->free_bytes - available : 0;
	if (missing >= all)
		return options->keep_bytes;
	return all - missing > options->keep_bytes ? all - missing : options->keep_bytes;
}

int cache_prune(const char *root, const struct cache_prune_options *options, uint64_t *ret_bytes,
		size_t *ret_entries, struct error *err)
{
	_cleanup_free_ char *path = str_printf("%s/build", root);
	_cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct cache_entry *entries;
	struct image_store *store;
	size_t count;
	uint64_t kept = 0, keep;
	int r;

	*ret_bytes = 0;
	*ret_entries = 0;
	r = cache_list(root, &entries, &count, err);
	if (r < 0 || dir < 0)
		return r;
	keep = bytes_to_keep(dir, options, entries, count);
	for (size_t i = 0; i < count; i++) {
		bool young = options->before_nsec && entries[i].used_nsec >= options->before_nsec;
		bool fits = (keep || options->strict) && kept + entries[i].bytes <= keep;
		bool stays = options->strict ? young && fits : young || fits;

		if (stays || (entries[i].mount && !options->mounts) ||
		    !remove_entry(dir, &entries[i])) {
			kept += entries[i].bytes;
			continue;
		}
		*ret_bytes += entries[i].bytes;
		++*ret_entries;
	}
	cache_list_free(entries, count);
	r = image_store_open(root, &store, err);
	if (r < 0)
		return r;
	r = store_collect(store, err);
	image_store_close(store);
	return r;
}
