// SPDX-License-Identifier: GPL-2.0-or-later
#include "volumes/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/map.h"
#include "common/str.h"

#define DEPTH_MAX    200 /* three descriptors a level */
#define BUFFER_SIZE  (256 << 10)
#define XATTR_BUFFER (64 << 10) /* the kernel's limit for a list and for a value */

struct copy {
	int target_root;
	struct map links; /* "dev:ino" to the first copy's path below target_root */
	char *buffer;
};

static bool xattr_wanted(const char *name)
{
	/* overlayfs' own notes are about layers, and a copy is none. */
	return !str_starts_with(name, "trusted.overlay.") &&
	       !str_starts_with(name, "user.overlay.") && strcmp(name, "security.selinux") != 0;
}

/* By way of /proc, since attributes have no *at() calls that work with O_PATH descriptors. */
static int copy_xattrs(struct copy *copy, int from, int to, struct error *err)
{
	char from_path[FD_PATH_MAX], to_path[FD_PATH_MAX];
	char *names = copy->buffer, *value = copy->buffer + XATTR_BUFFER;
	ssize_t size;

	fd_path(from, from_path);
	fd_path(to, to_path);
	size = listxattr(from_path, names, XATTR_BUFFER);
	for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1) {
		ssize_t n;

		if (!xattr_wanted(names + at))
			continue;
		n = getxattr(from_path, names + at, value, XATTR_BUFFER);
		if (n < 0 || setxattr(to_path, names + at, value, (size_t)n, 0) == 0)
			continue;
		if (errno != ENOTSUP && errno != EPERM)
			return error_errno(err, "its attribute %.80s", names + at);
	}
	return 0;
}

static int copy_range_by_hand(struct copy *copy, int from, int to, off_t at, off_t end,
			      struct error *err)
{
	while (at < end) {
		size_t want = end - at < BUFFER_SIZE ? (size_t)(end - at) : BUFFER_SIZE;
		ssize_t n = pread(from, copy->buffer, want, at);

		if (n < 0)
			return error_errno(err, "read it");
		if (n == 0)
			return 0; /* it became shorter meanwhile */
		for (ssize_t done = 0, w; done < n; done += w) {
			w = pwrite(to, copy->buffer + done, (size_t)(n - done), at + done);
			if (w <= 0)
				return error_errno(err, "write it");
		}
		at += n;
	}
	return 0;
}

static int copy_range(struct copy *copy, int from, int to, off_t at, off_t end, struct error *err)
{
	while (at < end) {
		off_t out = at;
		ssize_t n = copy_file_range(from, &at, to, &out, (size_t)(end - at), 0);

		if (n > 0)
			continue;
		if (n == 0 || errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP ||
		    errno == ENOSYS || errno == EIO || errno == EPERM)
			return copy_range_by_hand(copy, from, to, at, end, err);
		return error_errno(err, "copy it");
	}
	return 0;
}

/* Holes stay holes. */
static int copy_data(struct copy *copy, int from, int to, off_t size, struct error *err)
{
	off_t at = 0;

	if (size == 0 || ioctl(to, FICLONE, from) == 0)
		return 0;
	if (ftruncate(to, size) < 0)
		return error_errno(err, "write it");
	while (at < size) {
		off_t data = lseek(from, at, SEEK_DATA), hole = size;
		int r;

		if (data < 0 && errno == ENXIO)
			return 0; /* a hole up to the end */
		if (data >= 0) {
			hole = lseek(from, data, SEEK_HOLE);
			if (hole < 0 || hole > size)
				hole = size;
		}
		r = copy_range(copy, from, to, data < 0 ? at : data, hole, err);
		if (r < 0)
			return r;
		at = hole;
	}
	return 0;
}

/* Owner first, for it takes setuid bits away; times last. Of a descriptor opened for use. */
static int copy_attributes(struct copy *copy, int from, int to, const struct stat *st,
			   struct error *err)
{
	struct timespec times[2] = {st->st_atim, st->st_mtim};
	int r;

	if (fchown(to, st->st_uid, st->st_gid) < 0)
		return error_errno(err, "its owner");
	if (fchmod(to, st->st_mode & 07777) < 0)
		return error_errno(err, "its mode");
	r = copy_xattrs(copy, from, to, err);
	if (r < 0)
		return r;
	return futimens(to, times) < 0 ? error_errno(err, "its times") : 0;
}

static int copy_file(struct copy *copy, int from_dir, const char *name, int to_dir,
		     const struct stat *st, struct error *err)
{
	_cleanup_close_ int from = -EBADF, to = -EBADF;
	int r;

	from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (from < 0)
		return error_errno(err, "open it");
	to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return error_errno(err, "make its copy");
	r = copy_data(copy, from, to, st->st_size, err);
	return r < 0 ? r : copy_attributes(copy, from, to, st, err);
}

static int copy_symlink(int from_dir, const char *name, int to_dir, struct error *err)
{
	char target[PATH_MAX + 1];
	ssize_t n = readlinkat(from_dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return error_errno(err, "read the link");
	target[n] = '\0';
	return symlinkat(target, to_dir, name) < 0 ? error_errno(err, "make the link") : 0;
}

static int copy_special(int from_dir, const char *name, int to_dir, const struct stat *st,
			struct error *err)
{
	struct timespec times[2] = {st->st_atim, st->st_mtim};
	int r = 0;

	if (S_ISLNK(st->st_mode))
		r = copy_symlink(from_dir, name, to_dir, err);
	else if (mknodat(to_dir, name, (st->st_mode & S_IFMT) | 0600, st->st_rdev) < 0)
		r = error_errno(err, "make the special file");
	if (r < 0)
		return r;
	if (fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, "its owner");
	if (!S_ISLNK(st->st_mode) && fchmodat(to_dir, name, st->st_mode & 07777, 0) < 0)
		return error_errno(err, "its mode");
	(void)utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

/* 1: it is another name of what was copied before, and now linked. */
static int copy_link(struct copy *copy, int to_dir, const char *name, const char *path,
		     const struct stat *st, struct error *err)
{
	_cleanup_free_ char *key = NULL;
	const char *first;

	if (st->st_nlink < 2)
		return 0;
	key = str_printf("%llx:%llx", (unsigned long long)st->st_dev,
			 (unsigned long long)st->st_ino);
	first = map_get(&copy->links, key);
	if (!first) {
		map_set(&copy->links, key, alloc_string(path));
		return 0;
	}
	if (linkat(copy->target_root, first, to_dir, name, 0) < 0)
		return error_errno(err, "link it to '%.100s'", first);
	return 1;
}

static int copy_directory(struct copy *copy, int from, int to, const char *path, int depth,
			  struct error *err);

static int copy_below(struct copy *copy, int from_dir, const char *name, int to_dir,
		      const char *path, int depth, struct error *err)
{
	_cleanup_close_ int from = -EBADF, to = -EBADF;

	from = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0)
		return error_errno(err, "'%.200s': open it", path);
	to = fs_mkdir_open(to_dir, name, 0700, err);
	if (to < 0)
		return error_wrap(err, "'%.200s'", path);
	return copy_directory(copy, from, to, path, depth + 1, err);
}

static int copy_name(struct copy *copy, int from_dir, const char *name, int to_dir,
		     const char *parent, int depth, struct error *err)
{
	_cleanup_free_ char *path = str_printf("%s%s%s", parent, *parent ? "/" : "", name);
	struct stat st;
	int r;

	if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, "'%.200s'", path);
	if (S_ISDIR(st.st_mode))
		return copy_below(copy, from_dir, name, to_dir, path, depth, err);
	r = copy_link(copy, to_dir, name, path, &st, err);
	if (r > 0)
		return 0;
	if (r == 0 && S_ISREG(st.st_mode))
		r = copy_file(copy, from_dir, name, to_dir, &st, err);
	else if (r == 0 && !S_ISSOCK(st.st_mode))
		r = copy_special(from_dir, name, to_dir, &st, err);
	return r < 0 ? error_wrap(err, "'%.200s'", path) : 0;
}

static int copy_directory(struct copy *copy, int from, int to, const char *path, int depth,
			  struct error *err)
{
	_cleanup_strv_ char **names = NULL;
	struct stat st;
	int r;

	if (depth > DEPTH_MAX)
		return error_set(err, ELOOP, "'%.200s': more than %d directories deep", path,
				 DEPTH_MAX);
	if (fstat(from, &st) < 0)
		return error_errno(err, "'%.200s'", path);
	r = fs_list(from, ".", &names, err);
	if (r < 0)
		return r;
	strv_foreach(name, names) {
		r = copy_name(copy, from, name, to, path, depth, err);
		if (r < 0)
			return r;
	}
	r = copy_attributes(copy, from, to, &st, err);
	return r < 0 ? error_wrap(err, "'%.200s'", *path ? path : ".") : 0;
}

int copy_tree(int source, int target, struct error *err)
{
	struct copy copy = {.target_root = target};
	int r;

	copy.buffer = alloc(BUFFER_SIZE);
	r = copy_directory(&copy, source, target, "", 0, err);
	map_done(&copy.links, free);
	free(copy.buffer);
	return r;
}
