// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"

#include "volumes/copy.h"
#include "volumes/store.h"

/*
 * "filled" in the record: absent (never), "begun" (a copy that may have been cut short), "done".
 * Where it was cut short no container has seen the volume yet, so the copy starts over.
 */

static bool is_empty(int dir)
{
	struct error ignored = ERROR_INIT;
	_cleanup_strv_ char **names = NULL;

	if (fs_list(dir, ".", &names, &ignored) < 0)
		return false;
	/* mkfs leaves one on every ext4 device. */
	return strv_length(names) == 0 ||
	       (strv_length(names) == 1 && strcmp(names[0], "lost+found") == 0);
}

static bool is_foreign(const json_t *record)
{
	return json_object_size(json_object_get(record, "driver_opts")) > 0;
}

static bool wants(int volume, const json_t *record)
{
	const char *filled = json_get_string(record, "filled");
	_cleanup_close_ int data = -EBADF;

	if (str_equal(filled, "done"))
		return false;
	/* What lies behind driver_opts is known only once it is mounted. */
	if (is_foreign(record))
		return true;
	if (str_equal(filled, "begun"))
		return true;
	data = openat(volume, "_data", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return data >= 0 && is_empty(data);
}

bool volume_wants_populating(struct volume_store *store, const char *name)
{
	struct error ignored = ERROR_INIT;
	_cleanup_close_ int volume = store_open_volume(store, name, &ignored);
	_cleanup_json_ json_t *record = NULL;

	if (volume < 0 || store_read_record(volume, &record, &ignored) < 0)
		return false;
	return wants(volume, record);
}

static int set_filled(int volume, json_t *record, const char *state, struct error *err)
{
	json_put_string(record, "filled", state);
	return store_write_record(volume, record, err);
}

static int empty_directory(int dir, struct error *err)
{
	_cleanup_strv_ char **names = NULL;
	int r = fs_list(dir, ".", &names, err);

	strv_foreach(name, names)
		if (r == 0)
			r = fs_remove_tree(dir, name, err);
	return r;
}

static int open_data(struct volume_store *store, const char *name, struct error *err)
{
	struct volume_mount_options whole = {0};
	_cleanup_close_ int mount = volume_mount(store, name, &whole, err);
	int data;

	if (mount < 0)
		return mount;
	data = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return data < 0 ? error_errno(err, "its data") : data;
}

static int fill(int volume, int data, json_t *record, int source, struct error *err)
{
	bool begun = str_equal(json_get_string(record, "filled"), "begun");
	int r = 0;

	/* Others may have written to what is not ours alone. */
	if (begun && !is_foreign(record))
		r = empty_directory(data, err);
	if (r == 0 && is_empty(data)) {
		r = set_filled(volume, record, "begun", err);
		if (r == 0)
			r = copy_tree(source, data, err);
		if (r == 0 && !is_foreign(record))
			r = store_own_data(data, record, err);
		if (r == 0 && syncfs(data) < 0)
			r = error_errno(err, "write to the disk");
	}
	return r < 0 ? r : set_filled(volume, record, "done", err);
}

static int populate(struct volume_store *store, const char *name, int volume, int source,
		    struct error *err)
{
	_cleanup_json_ json_t *record = NULL;
	_cleanup_close_ int data = -EBADF;
	int r;

	/* Two containers with the same new volume: the second finds it filled. */
	while (flock(volume, LOCK_EX) < 0)
		if (errno != EINTR)
			return error_errno(err, "lock it");
	r = store_read_record(volume, &record, err);
	if (r < 0)
		return r;
	if (!wants(volume, record))
		return 0;
	data = open_data(store, name, err);
	return data < 0 ? data : fill(volume, data, record, source, err);
}

int volume_populate(struct volume_store *store, const char *name, int source_fd, struct error *err)
{
	_cleanup_close_ int volume = -EBADF, source = -EBADF;
	int r;

	volume = store_open_volume(store, name, err);
	if (volume < 0)
		return volume;
	/* The caller's may be O_PATH. */
	source = openat(source_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (source < 0)
		return error_errno(err, "the image's directory");
	r = populate(store, name, volume, source, err);
	return r < 0 ? error_wrap(err, "fill it") : 0;
}
