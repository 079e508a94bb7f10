// SPDX-License-Identifier: GPL-2.0-or-later
#include "volumes/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/str.h"

#include "volumes/detached.h"

#define FILE_CONTENT_MAX (500 * 1024) /* Docker's limit for a secret or config */

static const struct propagation {
	const char *name;
	uint64_t kind;
	bool recursive;
} propagations[] = {
	{"private", MS_PRIVATE, false},       {"rprivate", MS_PRIVATE, true},
	{"shared", MS_SHARED, false},         {"rshared", MS_SHARED, true},
	{"slave", MS_SLAVE, false},           {"rslave", MS_SLAVE, true},
	{"unbindable", MS_UNBINDABLE, false}, {"runbindable", MS_UNBINDABLE, true},
};

static const struct propagation *find_propagation(const char *name)
{
	array_foreach(p, propagations)
		if (strcmp(p->name, name && *name ? name : "rprivate") == 0)
			return p;
	return NULL;
}

static int make_source(const char *path, struct error *err)
{
	int fd = fs_mkdir_path(path, 0755, err);

	if (fd < 0)
		return error_wrap(err, "make the bind source");
	close(fd);
	return 0;
}

static int open_source(const char *path, const struct bind_options *options, struct error *err)
{
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	int fd, r;

	if (path[0] != '/')
		return error_set(err, EINVAL, "bind source '%s': it must be an absolute path",
				 path);
	if (options->recursive)
		flags |= AT_RECURSIVE;
	fd = open_tree(AT_FDCWD, path, flags);
	if (fd < 0 && errno == ENOENT && options->create) {
		r = make_source(path, err);
		if (r < 0)
			return r;
		fd = open_tree(AT_FDCWD, path, flags);
	}
	if (fd < 0 && errno == ENOENT)
		return error_set(err, ENOENT, "bind source path does not exist: %s", path);
	if (fd < 0)
		return error_errno(err, "bind source '%s'", path);
	return fd;
}

static int make_read_only(int mount, const char *path, const struct bind_options *options,
			  struct error *err)
{
	bool recursive = options->recursive &&
			 (options->read_only_recursive || options->require_read_only_recursive);
	int r = -EINVAL;

	if (recursive)
		r = detached_set(mount, MOUNT_ATTR_RDONLY, 0, true);
	if (r < 0 && recursive && options->require_read_only_recursive)
		return error_code(err, r, "bind source '%s': make its submounts read-only", path);
	if (r < 0)
		r = detached_set(mount, MOUNT_ATTR_RDONLY, 0, false);
	if (r < 0)
		return error_code(err, r, "bind source '%s': make it read-only", path);
	return 0;
}

int mount_bind(const char *path, const struct bind_options *options, bool *ret_directory,
	       struct error *err)
{
	const struct propagation *propagation = find_propagation(options->propagation);
	_cleanup_close_ int mount = -EBADF;
	struct stat st;
	int r;

	if (!propagation)
		return error_set(err, EINVAL,
				 "bind propagation '%s': none of private, rprivate, "
				 "shared, rshared, slave, rslave",
				 options->propagation);
	mount = open_source(path, options, err);
	if (mount < 0)
		return mount;
	if (fstat(mount, &st) < 0)
		return error_errno(err, "bind source '%s'", path);
	r = detached_set(mount, 0, propagation->kind, propagation->recursive);
	if (r < 0)
		return error_code(err, r, "bind source '%s': propagation %s", path,
				  propagation->name);
	if (options->read_only) {
		r = make_read_only(mount, path, options, err);
		if (r < 0)
			return r;
	}
	if (ret_directory)
		*ret_directory = S_ISDIR(st.st_mode);
	return TAKE_FD(mount);
}

static int set_number(int fs, const char *key, uint64_t value, struct error *err)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return detached_fs_set(fs, key, text, err);
}

static int configure_tmpfs(int fs, const struct tmpfs_options *options, struct error *err)
{
	char mode[16];
	int r = detached_fs_set(fs, "source", "tmpfs", err);

	snprintf(mode, sizeof(mode), "%o", options->mode ? options->mode : 01777);
	if (r == 0 && options->size_bytes > 0)
		r = set_number(fs, "size", (uint64_t)options->size_bytes, err);
	if (r == 0 && options->inodes > 0)
		r = set_number(fs, "nr_inodes", (uint64_t)options->inodes, err);
	if (r == 0)
		r = detached_fs_set(fs, "mode", mode, err);
	if (r == 0 && options->uid)
		r = set_number(fs, "uid", options->uid, err);
	if (r == 0 && options->gid)
		r = set_number(fs, "gid", options->gid, err);
	return r;
}

int mount_tmpfs(const struct tmpfs_options *options, struct error *err)
{
	_cleanup_close_ int fs = -EBADF;
	uint64_t attributes = 0;
	int r;

	fs = detached_fs_open("tmpfs", err);
	if (fs < 0)
		return fs;
	r = configure_tmpfs(fs, options, err);
	if (r < 0)
		return error_wrap(err, "tmpfs");
	attributes |= options->read_only ? MOUNT_ATTR_RDONLY : 0;
	attributes |= options->exec ? 0 : MOUNT_ATTR_NOEXEC;
	attributes |= options->suid ? 0 : MOUNT_ATTR_NOSUID;
	attributes |= options->dev ? 0 : MOUNT_ATTR_NODEV;
	r = detached_fs_mount(fs, attributes, err);
	return r < 0 ? error_wrap(err, "tmpfs") : r;
}

/* The file that a secret or config comes from, whole, so that its size is known beforehand. */
static int read_source(const char *path, char **ret_data, size_t *ret_size, struct error *err)
{
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return error_errno(err, "'%s'", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, EINVAL, "'%s': it is not a file", path);
	r = fs_read(AT_FDCWD, path, FILE_CONTENT_MAX, ret_data, ret_size, err);
	if (r == -EFBIG)
		return error_set(err, EFBIG, "'%s': larger than 500 KiB", path);
	return r;
}

/* Makes the file; an O_PATH fd of it. */
static int write_content(int dir, const void *data, size_t size, const struct file_content *content,
			 struct error *err)
{
	_cleanup_close_ int file = -EBADF;
	int r;

	file = openat(dir, "file", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (file < 0)
		return error_errno(err, "make the file");
	r = fd_write_all(file, data, size);
	if (r < 0)
		return error_code(err, r, "write the file");
	if (fchown(file, content->uid, content->gid) < 0)
		return error_errno(err, "give the file to %u:%u", content->uid, content->gid);
	if (fchmod(file, content->mode ? content->mode : 0444) < 0)
		return error_errno(err, "set the file's mode to %o", content->mode);
	r = openat(dir, "file", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return r < 0 ? error_errno(err, "open the file") : r;
}

int mount_file(const struct file_content *content, struct error *err)
{
	struct tmpfs_options options = {.mode = 0700, .inodes = 2};
	_cleanup_close_ int tmpfs = -EBADF, file = -EBADF, mount = -EBADF;
	_cleanup_free_ char *source = NULL;
	size_t size = content->size;
	int r;

	if (!content->data && content->source_path) {
		r = read_source(content->source_path, &source, &size, err);
		if (r < 0)
			return r;
	}
	if (size > FILE_CONTENT_MAX)
		return error_set(err, EFBIG, "the content is larger than 500 KiB");
	options.size_bytes = (int64_t)(size + 4095) / 4096 * 4096 + 4096;
	tmpfs = mount_tmpfs(&options, err);
	if (tmpfs < 0)
		return tmpfs;
	file = write_content(tmpfs, source ? source : content->data, size, content, err);
	if (file < 0)
		return file;
	mount = detached_clone_inside(tmpfs, file, err);
	if (mount < 0)
		return mount;
	r = detached_set(mount, MOUNT_ATTR_RDONLY, MS_PRIVATE, false);
	if (r < 0)
		return error_code(err, r, "make the file read-only");
	return TAKE_FD(mount);
}

int mount_clone(int dirfd, const char *name, bool read_only, struct error *err)
{
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW;
	_cleanup_close_ int mount = -EBADF;
	int r;

	if (!name)
		name = "";
	if (!*name)
		flags |= AT_EMPTY_PATH;
	mount = open_tree(dirfd, name, flags);
	if (mount < 0)
		return error_errno(err, "mount '%s'", *name ? name : ".");
	r = detached_set(mount, read_only ? MOUNT_ATTR_RDONLY : 0, MS_PRIVATE, false);
	if (r < 0)
		return error_code(err, r, "mount '%s'", *name ? name : ".");
	return TAKE_FD(mount);
}
