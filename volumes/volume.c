// SPDX-License-Identifier: GPL-2.0-or-later
#include "volumes/volume.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"
#include "common/units.h"

#include "volumes/options.h"
#include "volumes/store.h"

#define NAME_LENGTH_MAX 255
#define STAGING_PREFIX  ".new-"

DEFINE_CLEANUP(struct volume_info *, volume_info_free);

/* Docker's: [a-zA-Z0-9][a-zA-Z0-9_.-]+ */
static int check_name(const char *name, struct error *err)
{
	size_t n = strlen(name);
	bool valid = n >= 2 && n <= NAME_LENGTH_MAX && isalnum((unsigned char)name[0]);

	for (size_t i = 1; valid && i < n; i++)
		valid = isalnum((unsigned char)name[i]) || strchr("_.-", name[i]);
	if (valid)
		return 0;
	return error_set(err, EINVAL,
			 "volume '%.255s': the name must be two or more of letters, "
			 "digits, '_', '.', '-', the first a letter or digit",
			 name);
}

/* A staging directory is locked as long as its maker lives; what is not locked is left over. */
static void sweep_one(struct volume_store *store, const char *name)
{
	_cleanup_close_ int lock = -EBADF, dir = -EBADF;
	struct error err = ERROR_INIT;

	lock = fs_lock(store->dir, ".lock", &err);
	if (lock < 0)
		return;
	dir = openat(store->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || flock(dir, LOCK_EX | LOCK_NB) < 0)
		return;
	close(TAKE_FD(lock));
	if (fs_remove_tree(store->dir, name, &err) < 0)
		log_debug("volumes: %s: %s", name, err.message);
}

static void sweep(struct volume_store *store)
{
	int fd = openat(store->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_dir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (str_starts_with(entry->d_name, STAGING_PREFIX))
			sweep_one(store, entry->d_name);
}

int volume_store_open(const char *root, struct volume_store **ret, struct error *err)
{
	struct volume_store *store = new (struct volume_store);
	char path[PATH_MAX];

	store->path = str_printf("%s/volumes", root);
	store->dir = fs_mkdir_path(store->path, 0700, err);
	if (store->dir < 0) {
		volume_store_close(store);
		return error_wrap(err, "volumes");
	}
	/* The mountpoint that `volume inspect` shows is one that holds from any folder. */
	if (realpath(store->path, path)) {
		free(store->path);
		store->path = alloc_string(path);
	}
	sweep(store);
	*ret = store;
	return 0;
}

void volume_store_close(struct volume_store *store)
{
	if (!store)
		return;
	cleanup_close_fd(&store->dir);
	free(store->path);
	free(store);
}

static json_t *make_record(const struct volume_options *options)
{
	json_t *record = json_object();

	json_put_string(record, "driver", "local");
	json_put_int(record, "created", units_now_nsec());
	json_put_bool(record, "anonymous", options->anonymous);
	json_object_set_new(record, "labels",
			    options->labels ? json_deep_copy(options->labels) : json_object());
	json_object_set_new(record, "driver_opts",
			    options->driver_opts ? json_deep_copy(options->driver_opts)
						 : json_object());
	if (options->owned) {
		json_put_int(record, "uid", options->uid);
		json_put_int(record, "gid", options->gid);
	}
	if (options->has_mode)
		json_put_int(record, "mode", options->mode & 07777);
	return record;
}

int store_own_data(int data, const json_t *record, struct error *err)
{
	int64_t uid = json_get_int(record, "uid", -1), gid = json_get_int(record, "gid", -1);
	int64_t mode = json_get_int(record, "mode", -1);

	if (uid >= 0 && fchown(data, (uid_t)uid, (gid_t)gid) < 0)
		return error_errno(err, "give it to %lld:%lld", (long long)uid, (long long)gid);
	if (mode >= 0 && fchmod(data, (mode_t)mode) < 0)
		return error_errno(err, "set its mode");
	return 0;
}

int store_write_record(int volume, const json_t *record, struct error *err)
{
	_cleanup_free_ char *text = json_text(record);

	return fs_replace(volume, VOLUME_RECORD, text, strlen(text), FS_DURABLE, err);
}

/* A new directory that the sweep leaves alone as long as the fd is open. */
static int open_staging(struct volume_store *store, char **ret_name, struct error *err)
{
	_cleanup_close_ int lock = -EBADF;
	int dir;

	lock = fs_lock(store->dir, ".lock", err);
	if (lock < 0)
		return lock;
	dir = fs_mkdir_unique(store->dir, STAGING_PREFIX, ret_name, err);
	if (dir >= 0)
		(void)flock(dir, LOCK_EX | LOCK_NB);
	return dir;
}

static int fill_staging(int dir, const json_t *record, struct error *err)
{
	_cleanup_close_ int data = -EBADF;

	data = fs_mkdir_open(dir, "_data", 0755, err);
	if (data < 0)
		return data;
	if (fchmod(data, 0755) < 0 || fchmod(dir, 0711) < 0)
		return error_errno(err, "set its mode");
	if (store_own_data(data, record, err) < 0)
		return -err->code;
	return store_write_record(dir, record, err);
}

static int check_options(const struct volume_options *options, struct error *err)
{
	struct mount_words words = {0};
	int r;

	if (options->driver && *options->driver && strcmp(options->driver, "local") != 0)
		return error_set(err, EINVAL, "driver '%.100s': there is only 'local'",
				 options->driver);
	r = mount_words_parse(options->driver_opts, &words, err);
	mount_words_done(&words);
	return r;
}

static int create(struct volume_store *store, const char *name, const json_t *record,
		  struct error *err)
{
	_cleanup_free_ char *staging = NULL;
	_cleanup_close_ int dir = -EBADF;
	struct error ignored = ERROR_INIT;
	int r;

	if (faccessat(store->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return error_set(err, EEXIST, "there is one already");
	dir = open_staging(store, &staging, err);
	if (dir < 0)
		return dir;
	r = fill_staging(dir, record, err);
	/* The rename publishes the volume: readers see all of it or nothing. */
	if (r == 0 && renameat2(store->dir, staging, store->dir, name, RENAME_NOREPLACE) < 0)
		r = errno == EEXIST ? error_set(err, EEXIST, "there is one already")
				    : error_errno(err, "publish it");
	if (r < 0) {
		(void)fs_remove_tree(store->dir, staging, &ignored);
		return r;
	}
	return fsync(store->dir) < 0 ? error_errno(err, "write to the disk") : 0;
}

int volume_create(struct volume_store *store, const char *name,
		  const struct volume_options *options, struct error *err)
{
	_cleanup_json_ json_t *record = NULL;
	int r;

	r = check_name(name, err);
	if (r < 0)
		return r;
	r = check_options(options, err);
	if (r == 0) {
		record = make_record(options);
		r = create(store, name, record, err);
	}
	return r < 0 ? error_wrap(err, "volume %s", name) : 0;
}

int store_open_volume(const struct volume_store *store, const char *name, struct error *err)
{
	struct error ignored = ERROR_INIT;
	int fd = -1;

	errno = ENOENT;
	if (check_name(name, &ignored) == 0)
		fd = openat(store->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		return error_set(err, ENOENT, "no such volume");
	return error_errno(err, "open it");
}

int store_read_record(int volume, json_t **ret, struct error *err)
{
	return json_read(volume, VOLUME_RECORD, VOLUME_RECORD_MAX, ret, err);
}

static json_t *object_of(const json_t *record, const char *key)
{
	json_t *object = json_object_get(record, key);

	return json_is_object(object) ? json_incref(object) : json_object();
}

int volume_inspect(struct volume_store *store, const char *name, struct volume_info **ret,
		   struct error *err)
{
	_cleanup_close_ int volume = -EBADF;
	_cleanup_json_ json_t *record = NULL;
	struct volume_info *info;
	int r;

	volume = store_open_volume(store, name, err);
	if (volume < 0)
		return error_wrap(err, "volume %.255s", name);
	r = store_read_record(volume, &record, err);
	if (r < 0)
		return error_wrap(err, "volume %s", name);
	info = new (struct volume_info);
	info->name = alloc_string(name);
	info->driver = alloc_string("local");
	info->driver_opts = object_of(record, "driver_opts");
	info->labels = object_of(record, "labels");
	info->created_nsec = json_get_int(record, "created", 0);
	info->anonymous = json_get_bool(record, "anonymous", false);
	info->mountpoint = str_printf("%s/%s/_data", store->path, name);
	*ret = info;
	return 0;
}

bool volume_is_anonymous(struct volume_store *store, const char *name)
{
	_cleanup_json_ json_t *record = NULL;
	_cleanup_close_ int volume = -EBADF;
	struct error none = ERROR_INIT;

	volume = store_open_volume(store, name, &none);
	return volume >= 0 && store_read_record(volume, &record, &none) >= 0 &&
	       json_get_bool(record, "anonymous", false);
}

int volume_keep(struct volume_store *store, const char *name, struct error *err)
{
	_cleanup_json_ json_t *record = NULL;
	_cleanup_close_ int volume = -EBADF;
	int r;

	volume = store_open_volume(store, name, err);
	r = volume < 0 ? volume : store_read_record(volume, &record, err);
	if (r >= 0 && json_get_bool(record, "anonymous", false)) {
		json_put_bool(record, "anonymous", false);
		r = store_write_record(volume, record, err);
	}
	return r < 0 ? error_wrap(err, "volume %s", name) : 0;
}

void volume_info_free(struct volume_info *info)
{
	if (!info)
		return;
	free(info->name);
	free(info->driver);
	json_decref(info->driver_opts);
	json_decref(info->labels);
	free(info->mountpoint);
	free(info);
}

int volume_list(struct volume_store *store, struct volume_info ***ret, size_t *ret_count,
		struct error *err)
{
	_cleanup_strv_ char **names = NULL;
	struct volume_info **list = NULL;
	size_t count = 0;
	int r;

	r = fs_list(store->dir, ".", &names, err);
	if (r < 0)
		return error_wrap(err, "volumes");
	strv_foreach(name, names) {
		struct volume_info *info;
		struct error skipped = ERROR_INIT;

		if (name[0] == '.')
			continue;
		/* One that is broken, or removed just now, does not hide the others. */
		if (volume_inspect(store, name, &info, &skipped) < 0)
			log_debug("%s", skipped.message);
		else
			*array_add(list, count) = info;
	}
	*ret = list;
	*ret_count = count;
	return 0;
}

/* @ret_volume stays open, and with it locked, until the volume's content is gone. */
static int rename_away(struct volume_store *store, const char *name, int *ret_volume,
		       char **ret_doomed, struct error *err)
{
	_cleanup_close_ int volume = -EBADF, lock = -EBADF;
	_cleanup_free_ char *doomed = NULL;
	char random[17];

	volume = store_open_volume(store, name, err);
	if (volume < 0)
		return error_wrap(err, "volume %.255s", name);
	lock = fs_lock(store->dir, ".lock", err);
	if (lock < 0)
		return error_wrap(err, "volume %s", name);
	/* Locked, as staging is: no sweep comes in between; when we die, the next one does it. */
	(void)flock(volume, LOCK_EX | LOCK_NB);
	fs_random_hex(random, 8);
	doomed = str_printf(STAGING_PREFIX "%s", random);
	if (renameat(store->dir, name, store->dir, doomed) < 0)
		return errno == ENOENT ? error_set(err, ENOENT, "volume %s: no such volume", name)
				       : error_errno(err, "volume %s: remove it", name);
	*ret_volume = TAKE_FD(volume);
	*ret_doomed = TAKE_PTR(doomed);
	return 0;
}

int volume_remove(struct volume_store *store, const char *name, struct error *err)
{
	_cleanup_close_ int volume = -EBADF;
	_cleanup_free_ char *doomed = NULL;
	int r = rename_away(store, name, &volume, &doomed, err);

	if (r < 0)
		return r;
	r = fs_remove_tree(store->dir, doomed, err);
	return r < 0 ? error_wrap(err, "volume %s", name) : 0;
}

bool volume_exists(struct volume_store *store, const char *name)
{
	_cleanup_close_ int volume = -EBADF;
	struct error none = ERROR_INIT;

	volume = store_open_volume(store, name, &none);
	return volume >= 0;
}

/*
 * Held shared from a volume's being looked for until the container's record names it, and
 * exclusively from asking who uses it until its name is gone: nobody falls in between.
 */
static int lock_users(struct volume_store *store, int how, struct error *err)
{
	_cleanup_close_ int lock =
		openat(store->dir, ".users.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (lock < 0)
		return error_errno(err, "volumes: .users.lock");
	while (flock(lock, how) < 0)
		if (errno != EINTR)
			return error_errno(err, "volumes: .users.lock");
	return TAKE_FD(lock);
}

int volume_hold(struct volume_store *store, struct error *err)
{
	return lock_users(store, LOCK_SH, err);
}

int volume_remove_unused(struct volume_store *store, const char *name, volume_check_unused *check,
			 void *data, struct error *err)
{
	_cleanup_close_ int lock = lock_users(store, LOCK_EX, err), volume = -EBADF;
	_cleanup_free_ char *doomed = NULL;
	int r = lock < 0 ? lock : check(data, name, err);

	if (r == 0)
		r = rename_away(store, name, &volume, &doomed, err);
	if (r < 0)
		return r;
	close(TAKE_FD(lock));
	r = fs_remove_tree(store->dir, doomed, err);
	return r < 0 ? error_wrap(err, "volume %s", name) : 0;
}
