// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files from one tree into another: the inside of COPY. No link of the source leads out of it, and
 * none in the target is followed but on the way to the destination, inside its root.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/path.h"
#include "common/rootpath.h"
#include "common/str.h"

#include "runtime/build/build.h"

#define DEPTH_MAX 256
#define SMALL_MAX (64 << 10)
#define FILE_NEW  (O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC)

static int symbolic_mode(const char *text, mode_t mode, bool directory, mode_t *ret)
{
	while (*text) {
		mode_t who = 0, bits = 0;
		char operation;

		for (; *text && strchr("ugoa", *text); text++)
			who |= *text == 'u'   ? 04700
			       : *text == 'g' ? 02070
			       : *text == 'o' ? 01007
					      : 07777;
		if (!who)
			who = 07777;
		operation = *text;
		if (!operation || !strchr("+-=", operation))
			return -EINVAL;
		for (text++; *text && strchr("rwxXst", *text); text++)
			bits |= *text == 'r'   ? 0444
				: *text == 'w' ? 0222
				: *text == 'x' ? 0111
				: *text == 'X' ? (directory || (mode & 0111) ? 0111 : 0)
				: *text == 's' ? 06000
					       : 01000;
		bits &= who;
		mode = operation == '+'   ? mode | bits
		       : operation == '-' ? mode & ~bits
					  : (mode & ~(who & 0777)) | bits;
		if (*text && *text++ != ',')
			return -EINVAL;
	}
	*ret = mode & 07777;
	return 0;
}

int copying_mode(const char *chmod, mode_t mode, bool directory, mode_t *ret)
{
	char *end;
	unsigned long number;

	if (!*chmod)
		return -EINVAL;
	if (strchr("01234567", *chmod)) {
		number = strtoul(chmod, &end, 8);
		if (*end || number > 07777)
			return -EINVAL;
		*ret = (mode_t)number;
		return 0;
	}
	return symbolic_mode(chmod, mode & 07777, directory, ret);
}

static void free_link(void *kept)
{
	close(*(int *)kept);
	free(kept);
}

void copying_done(struct copying *copying)
{
	map_done(&copying->links, free_link);
}

static void copy_xattrs(int from, int to)
{
	char source[FD_PATH_MAX], target[FD_PATH_MAX], names[16384], value[65536];
	ssize_t size, n;

	fd_path(from, source);
	fd_path(to, target);
	size = listxattr(source, names, sizeof(names));
	for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1) {
		if (strcmp(names + at, "security.capability") != 0 &&
		    !str_starts_with(names + at, "user."))
			continue;
		n = getxattr(source, names + at, value, sizeof(value));
		if (n >= 0)
			(void)setxattr(target, names + at, value, (size_t)n, 0);
	}
}

/* Owner, mode, times of @to, an open file or directory. */
static int set_metadata(const struct copying *copying, int from, int to, const struct stat *st,
			struct error *err)
{
	const struct timespec times[2] = {{0, UTIME_OMIT}, st->st_mtim};
	uid_t uid = copying->set_owner ? copying->uid : st->st_uid;
	gid_t gid = copying->set_owner ? copying->gid : st->st_gid;
	mode_t mode = st->st_mode & 07777;

	if (fchown(to, uid, gid) < 0)
		return error_errno(err, "give it to %u:%u", uid, gid);
	if (copying->chmod)
		(void)copying_mode(copying->chmod, st->st_mode, S_ISDIR(st->st_mode), &mode);
	if (fchmod(to, mode) < 0)
		return error_errno(err, "set its mode");
	copy_xattrs(from, to);
	if (futimens(to, times) < 0)
		return error_errno(err, "set its time");
	return 0;
}

/* Of a small file: one call to read and one to write are less than what clones try.
 * Not inline: folders are copied by recursion, and its buffer would be in each of their frames. */
static __attribute__((noinline)) int copy_small(int from, int to, uint64_t size, struct error *err)
{
	char buffer[SMALL_MAX];
	ssize_t n = pread(from, buffer, size, 0);
	int r;

	if (n < 0)
		return error_errno(err, "read its content");
	r = fd_write_all(to, buffer, (size_t)n);
	return r < 0 ? error_code(err, r, "copy its content") : 0;
}

static int copy_bytes(struct copying *copying, int from, int to, uint64_t size, struct error *err)
{
	uint64_t done = 0;

	if (size <= SMALL_MAX)
		return copy_small(from, to, size, err);
	if (!copying->no_clone && ioctl(to, FICLONE, from) == 0)
		return 0;
	while (done < size) {
		ssize_t n = copying->no_clone
				    ? sendfile(to, from, NULL, size - done)
				    : copy_file_range(from, NULL, to, NULL, size - done, 0);

		if (n < 0 && !copying->no_clone &&
		    (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) {
			copying->no_clone = true;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "copy its content");
		if (n == 0)
			break; /* it became shorter meanwhile */
		done += (uint64_t)n;
	}
	return 0;
}

/* What stands in the way of a file goes; a folder does not. */
static int make_way(int dir, const char *name, struct error *err)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno == EISDIR || errno == EPERM)
		return error_set(err, EISDIR, "there is a folder where the file is to go");
	return error_errno(err, "remove what is there");
}

/* One more name of a file that was copied before. 1: done. */
static int link_again(struct copying *copying, const struct stat *st, int dir, const char *name,
		      struct error *err)
{
	_cleanup_free_ char *key = NULL;
	const int *first;
	char path[FD_PATH_MAX];

	if (st->st_nlink < 2)
		return 0;
	key = str_printf("%llx:%llx", (unsigned long long)st->st_dev,
			 (unsigned long long)st->st_ino);
	first = map_get(&copying->links, key);
	if (!first)
		return 0;
	if (make_way(dir, name, err) < 0)
		return -err->code;
	return linkat(AT_FDCWD, fd_path(*first, path), dir, name, AT_SYMLINK_FOLLOW) == 0;
}

static void remember_link(struct copying *copying, const struct stat *st, int file)
{
	_cleanup_free_ char *key = NULL;
	int *kept;

	/* Each costs a descriptor. */
	if (st->st_nlink < 2 || copying->links.count > 256)
		return;
	key = str_printf("%llx:%llx", (unsigned long long)st->st_dev,
			 (unsigned long long)st->st_ino);
	kept = new (int);
	*kept = fd_dup(file);
	kept = map_set(&copying->links, key, kept);
	if (kept)
		free_link(kept);
}

static int copy_file(struct copying *copying, int from, const struct stat *st, int dir,
		     const char *name, struct error *err)
{
	_cleanup_close_ int source = -EBADF, target = -EBADF;
	char path[FD_PATH_MAX];
	int r;

	r = link_again(copying, st, dir, name, err);
	if (r != 0)
		return r < 0 ? r : 0;
	source = open(fd_path(from, path), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (source < 0)
		return error_errno(err, "open it");
	/* Mostly there is nothing in its way, and a look costs as much. */
	target = openat(dir, name, FILE_NEW, 0600);
	if (target < 0 && errno == EEXIST) {
		if (make_way(dir, name, err) < 0)
			return -err->code;
		target = openat(dir, name, FILE_NEW, 0600);
	}
	if (target < 0)
		return error_errno(err, "make it");
	r = copy_bytes(copying, source, target, (uint64_t)st->st_size, err);
	if (r == 0)
		r = set_metadata(copying, source, target, st, err);
	if (r == 0)
		remember_link(copying, st, target);
	return r;
}

static int copy_link(struct copying *copying, int from, const struct stat *st, int dir,
		     const char *name, struct error *err)
{
	const struct timespec times[2] = {{0, UTIME_OMIT}, st->st_mtim};
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, "", target, sizeof(target) - 1);

	if (n < 0)
		return error_errno(err, "read the link");
	target[n] = '\0';
	if (make_way(dir, name, err) < 0)
		return -err->code;
	if (symlinkat(target, dir, name) < 0 ||
	    fchownat(dir, name, copying->set_owner ? copying->uid : st->st_uid,
		     copying->set_owner ? copying->gid : st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, "make the link");
	(void)utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

static int copy_special(struct copying *copying, const struct stat *st, int dir, const char *name,
			struct error *err)
{
	if (S_ISSOCK(st->st_mode))
		return 0;
	if (make_way(dir, name, err) < 0)
		return -err->code;
	if (mknodat(dir, name, st->st_mode, st->st_rdev) < 0 ||
	    fchownat(dir, name, copying->set_owner ? copying->uid : st->st_uid,
		     copying->set_owner ? copying->gid : st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(dir, name, st->st_mode & 07777, 0) < 0)
		return error_errno(err, "make it");
	return 0;
}

static int copy_folder(struct copying *copying, int from, int to, const char *path,
		       const char *shown, int depth, struct error *err);

/* An existing folder stays; anything else makes way. The fd. */
static int make_folder(int dir, const char *name, struct error *err)
{
	int fd;

	if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return error_errno(err, "make the folder");
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno != ENOTDIR && errno != ELOOP)
		return error_errno(err, "open the folder");
	/* A link to a folder is what was meant, as cp has it; a file is not. */
	return error_set(err, ENOTDIR, "there is a file or link where the folder is to go");
}

static bool left_out(const struct copying *copying, const char *path, const char *shown,
		     bool directory)
{
	if (copying->ignore && *path &&
	    (directory ? ignore_prunes(copying->ignore, path)
		       : ignore_matches(copying->ignore, path, NULL)))
		return true;
	return copying->exclude && *shown &&
	       (directory ? ignore_prunes(copying->exclude, shown)
			  : ignore_matches(copying->exclude, shown, NULL));
}

static int copy_object(struct copying *copying, int from, int dir, const char *name,
		       const char *path, const char *shown, int depth, struct error *err)
{
	_cleanup_close_ int folder = -EBADF, inside = -EBADF;
	struct stat st;
	int r;

	if (fstat(from, &st) < 0)
		return error_errno(err, "'%.200s'", path);
	if (left_out(copying, path, shown, S_ISDIR(st.st_mode)))
		return 0;
	if (S_ISREG(st.st_mode))
		r = copy_file(copying, from, &st, dir, name, err);
	else if (S_ISLNK(st.st_mode))
		r = copy_link(copying, from, &st, dir, name, err);
	else if (!S_ISDIR(st.st_mode))
		r = copy_special(copying, &st, dir, name, err);
	else {
		folder = make_folder(dir, name, err);
		if (folder < 0)
			return error_wrap(err, "'%.200s'", path);
		inside = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (inside < 0)
			return error_errno(err, "'%.200s'", path);
		r = copy_folder(copying, inside, folder, path, shown, depth + 1, err);
		if (r < 0)
			return r;
		r = set_metadata(copying, inside, folder, &st, err);
	}
	return r < 0 ? error_wrap(err, "'%.200s'", path) : 0;
}

static int copy_folder(struct copying *copying, int from, int to, const char *path,
		       const char *shown, int depth, struct error *err)
{
	_cleanup_strv_ char **names = NULL;

	if (depth > DEPTH_MAX)
		return error_set(err, ELOOP, "'%.200s': more than %d folders deep", path,
				 DEPTH_MAX);
	if (fs_list(from, ".", &names, err) < 0)
		return -err->code;
	strv_foreach(name, names) {
		_cleanup_free_ char *below = str_printf("%s%s%s", path, *path ? "/" : "", name);
		_cleanup_free_ char *seen = str_printf("%s%s%s", shown, *shown ? "/" : "", name);
		_cleanup_close_ int fd = openat(from, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			return error_errno(err, "'%.200s'", below);
		if (copy_object(copying, fd, to, name, below, seen, depth, err) < 0)
			return -err->code;
	}
	return 0;
}

static int make_parent(struct copying *copying, const char *path, struct error *err)
{
	_cleanup_close_ int place =
		rootpath_open_raw(copying->target_root, path, O_PATH | O_DIRECTORY, 0);
	_cleanup_close_ int fd = -EBADF;
	struct timespec times[2] = {{0, UTIME_OMIT}, {0, 0}};

	if (place >= 0)
		return 0;
	if (place != -ENOENT)
		return error_code(err, place, "%s", path);
	place = rootpath_mkdirs(copying->target_root, path, 0755, err);
	if (place < 0)
		return place;
	fd = openat(place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, 0755) < 0 ||
	    (copying->set_owner && fchown(fd, copying->uid, copying->gid) < 0))
		return error_errno(err, "make folder %s", path);
	times[1].tv_sec = copying->now_nsec / 1000000000;
	times[1].tv_nsec = copying->now_nsec % 1000000000;
	(void)futimens(fd, times);
	return 0;
}

int copying_make_parents(struct copying *copying, const char *path, bool whole, struct error *err)
{
	_cleanup_free_ char *prefix = alloc_string(path);
	size_t n = strlen(prefix);

	for (size_t i = 1; i < n; i++) {
		if (prefix[i] != '/')
			continue;
		prefix[i] = '\0';
		if (make_parent(copying, prefix, err) < 0)
			return -err->code;
		prefix[i] = '/';
	}
	return whole && n > 1 ? make_parent(copying, prefix, err) : 0;
}

int copying_path(struct copying *copying, const char *source, const char *target, bool contents,
		 struct error *err)
{
	_cleanup_close_ int from = rootpath_open_raw(copying->source_root, source, O_PATH, 0);
	_cleanup_close_ int inside = -EBADF, to = -EBADF, folder = -EBADF;
	_cleanup_free_ char *parent = NULL;
	struct stat st;

	if (from < 0)
		return error_code(err, from, "%s", source);
	if (fstat(from, &st) < 0)
		return error_errno(err, "%s", source);
	if (copying_make_parents(copying, target, contents && S_ISDIR(st.st_mode), err) < 0)
		return -err->code;
	if (contents && S_ISDIR(st.st_mode)) {
		folder =
			rootpath_open(copying->target_root, target, O_RDONLY | O_DIRECTORY, 0, err);
		inside = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (folder < 0 || inside < 0)
			return folder < 0 ? folder : error_errno(err, "%s", source);
		return copy_folder(copying, inside, folder, source, "", 0, err);
	}
	parent = alloc_string_n(target, (size_t)(path_last(target) - target));
	to = rootpath_open(copying->target_root, *parent ? parent : "/", O_RDONLY | O_DIRECTORY, 0,
			   err);
	if (to < 0)
		return to;
	return copy_object(copying, from, to, path_last(target), source, path_last(source), 0, err);
}
