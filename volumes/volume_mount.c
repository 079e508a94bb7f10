// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/rootpath.h"
#include "common/str.h"

#include "volumes/detached.h"
#include "volumes/options.h"
#include "volumes/store.h"

/* Docker's rule: a subpath stays below by its text already. */
static int check_subpath(const char *subpath, struct error *err)
{
	_cleanup_strv_ char **parts = strv_split(subpath, "/");

	if (subpath[0] == '/')
		return error_set(err, EINVAL, "subpath '%.200s': it must be relative", subpath);
	if (strv_contains(parts, ".."))
		return error_set(err, EINVAL, "subpath '%.200s': '..' must not be in it", subpath);
	return 0;
}

/*
 * What of @root is mounted. Resolved to a descriptor, links followed inside the root only; that
 * descriptor is what is cloned then, whatever a container that shares the volume changes meanwhile.
 */
static int open_part(int root, const char *subpath, struct error *err)
{
	int fd, r;

	if (!subpath || !*subpath) {
		fd = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
		return fd < 0 ? error_errno(err, "its data") : fd;
	}
	r = check_subpath(subpath, err);
	if (r < 0)
		return r;
	fd = rootpath_open_raw(root, subpath, O_PATH, 0);
	if (fd == -ENOENT)
		return error_set(err, ENOENT,
				 "subpath '%.200s': there is no such file or directory in it",
				 subpath);
	return fd < 0 ? error_code(err, fd, "subpath '%.200s'", subpath) : fd;
}

static int mount_own(int volume, const char *subpath, struct error *err)
{
	_cleanup_close_ int data = -EBADF, part = -EBADF;
	int mount;

	data = openat(volume, "_data", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (data < 0)
		return error_errno(err, "its data");
	part = open_part(data, subpath, err);
	if (part < 0)
		return part;
	mount = open_tree(part, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	return mount < 0 ? error_errno(err, "its data") : mount;
}

static int mount_foreign(const struct mount_words *words, const char *subpath, struct error *err)
{
	_cleanup_close_ int mount = -EBADF, part = -EBADF;

	mount = mount_words_mount(words, err);
	if (mount < 0 || !subpath || !*subpath)
		return TAKE_FD(mount);
	part = open_part(mount, subpath, err);
	if (part < 0)
		return part;
	return detached_clone_inside(mount, part, err);
}

static int mount_volume(int volume, const struct volume_mount_options *options, struct error *err)
{
	_cleanup_json_ json_t *record = NULL;
	_cleanup_close_ int mount = -EBADF;
	struct mount_words words = {0};
	uint64_t propagation;
	int r;

	r = store_read_record(volume, &record, err);
	if (r < 0)
		return r;
	r = mount_words_parse(json_object_get(record, "driver_opts"), &words, err);
	if (r == 0)
		r = mount = words.mounted ? mount_foreign(&words, options->subpath, err)
					  : mount_own(volume, options->subpath, err);
	propagation = words.propagation ? words.propagation : MS_PRIVATE;
	mount_words_done(&words);
	if (r < 0)
		return r;
	r = detached_set(mount, options->read_only ? MOUNT_ATTR_RDONLY : 0, propagation, true);
	return r < 0 ? error_code(err, r, "its mount") : TAKE_FD(mount);
}

int volume_mount(struct volume_store *store, const char *name,
		 const struct volume_mount_options *options, struct error *err)
{
	_cleanup_close_ int volume = -EBADF;

	volume = store_open_volume(store, name, err);
	return volume < 0 ? volume : mount_volume(volume, options, err);
}
