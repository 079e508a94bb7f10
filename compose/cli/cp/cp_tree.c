// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/cp/cp_tree.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/rootpath.h"
#include "common/str.h"

#define DEPTH_MAX 256
#define COPY_SIZE (1 << 20)

int cp_open(const struct cp_place *place, const char *path, int flags, struct error *err)
{
	int fd;

	if (place->root != AT_FDCWD)
		return rootpath_open(place->root, path, flags, 0, err);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? error_errno(err, "open %s", path) : fd;
}

char *cp_base_name(const char *path)
{
	size_t end = strlen(path), begin;

	while (end > 0 && path[end - 1] == '/')
		end--;
	begin = end;
	while (begin > 0 && path[begin - 1] != '/')
		begin--;
	return begin == end ? alloc_string(".") : alloc_string_n(path + begin, end - begin);
}

static char *dir_name(const char *path)
{
	size_t end = strlen(path);

	while (end > 1 && path[end - 1] == '/')
		end--;
	while (end > 0 && path[end - 1] != '/')
		end--;
	return end ? alloc_string_n(path, end) : alloc_string(".");
}

/* Room for an object of that kind: what is there and is none, goes. */
static int make_room(int dir, const char *name, mode_t type, struct error *err)
{
	struct stat there;

	if (fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (S_ISDIR(there.st_mode) && type != S_IFDIR)
		return error_set(err, EISDIR, "cannot overwrite directory '%s' with a file", name);
	if (!S_ISDIR(there.st_mode) && type == S_IFDIR)
		return error_set(err, ENOTDIR, "cannot copy a directory over the file '%s'", name);
	if (S_ISDIR(there.st_mode) || (S_ISREG(there.st_mode) && type == S_IFREG))
		return 0;
	if (unlinkat(dir, name, 0) < 0)
		return error_errno(err, "replace '%s'", name);
	return 0;
}

static int open_file(int dir, const char *name, struct error *err)
{
	int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd = openat(dir, name, flags, 0600);

	/* A program that runs is not written into: the new one takes its name. */
	if (fd < 0 && errno == ETXTBSY && unlinkat(dir, name, 0) == 0)
		fd = openat(dir, name, flags | O_EXCL, 0600);
	return fd < 0 ? error_errno(err, "write '%s'", name) : fd;
}

int cp_make(int dir, const char *name, const struct stat *st, const char *link_target,
	    const struct cp_options *options, struct error *err)
{
	int r = make_room(dir, name, st->st_mode & S_IFMT, err);

	if (r < 0)
		return r;
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		return open_file(dir, name, err);
	case S_IFDIR:
		r = mkdirat(dir, name, 0700) < 0 && errno != EEXIST ? -1 : 0;
		break;
	case S_IFLNK:
		r = symlinkat(link_target, dir, name);
		break;
	case S_IFIFO:
	case S_IFCHR:
	case S_IFBLK:
		r = mknodat(dir, name, st->st_mode, st->st_rdev);
		break;
	default:
		return -EBADF; /* a socket is nobody's without its program */
	}
	return r < 0 ? error_errno(err, "make '%s'", name) : -EBADF;
}

int cp_finish(int dir, const char *name, const struct stat *st, const struct cp_options *options,
	      struct error *err)
{
	struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, st->st_mtim};

	/* The owner first: giving a file away takes its set-user-id bit. */
	if (options->archive &&
	    fchownat(dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, "give '%s' to uid %u", name, st->st_uid);
	if (!S_ISLNK(st->st_mode) && fchmodat(dir, name, st->st_mode & 07777, 0) < 0)
		return error_errno(err, "set the mode of '%s'", name);
	(void)utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

static int copy_bytes(int from, int to, const char *name, struct error *err)
{
	_cleanup_free_ char *buffer = NULL;
	ssize_t n;

	while ((n = copy_file_range(from, NULL, to, NULL, COPY_SIZE, 0)) > 0)
		;
	if (n == 0)
		return 0;
	buffer = alloc(COPY_SIZE);
	while ((n = read(from, buffer, COPY_SIZE)) > 0)
		if (fd_write_all(to, buffer, (size_t)n) < 0)
			return error_errno(err, "write '%s'", name);
	return n < 0 ? error_errno(err, "read '%s'", name) : 0;
}

static int copy_object(int source, int dir, const char *name, const struct cp_options *options,
		       int depth, struct error *err);

static int copy_content(int source, int dir, const struct cp_options *options, int depth,
			struct error *err)
{
	_cleanup_close_ int inside = openat(source, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_strv_ char **names = NULL;
	int r;

	if (inside < 0)
		return error_errno(err, "read the directory");
	if (depth > DEPTH_MAX)
		return error_set(err, ELOOP, "more than %d directories deep", DEPTH_MAX);
	r = fs_list(inside, ".", &names, err);
	if (r < 0)
		return r;
	strv_foreach(name, names) {
		_cleanup_close_ int next = openat(inside, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

		/* It may have gone since it was listed. */
		if (next < 0 && errno == ENOENT)
			continue;
		if (next < 0)
			return error_errno(err, "open '%s'", name);
		r = copy_object(next, dir, name, options, depth + 1, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int copy_directory(int source, int dir, const char *name, const struct cp_options *options,
			  int depth, struct error *err)
{
	_cleanup_close_ int made =
		openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (made < 0)
		return error_errno(err, "open '%s'", name);
	return copy_content(source, made, options, depth, err);
}

/* The object that O_PATH @source is becomes @name below @dir. */
static int copy_object(int source, int dir, const char *name, const struct cp_options *options,
		       int depth, struct error *err)
{
	_cleanup_close_ int out = -EBADF, in = -EBADF;
	char target[PATH_MAX] = "", path[FD_PATH_MAX];
	struct stat st;
	int r = 0;

	if (fstat(source, &st) < 0)
		return error_errno(err, "'%s'", name);
	if (S_ISLNK(st.st_mode) && readlinkat(source, "", target, sizeof(target) - 1) < 0)
		return error_errno(err, "read the link '%s'", name);
	out = cp_make(dir, name, &st, target, options, err);
	if (err->code)
		return -err->code;
	if (S_ISREG(st.st_mode)) {
		in = open(fd_path(source, path), O_RDONLY | O_CLOEXEC);
		r = in < 0 ? error_errno(err, "read '%s'", name) : copy_bytes(in, out, name, err);
	} else if (S_ISDIR(st.st_mode)) {
		r = copy_directory(source, dir, name, options, depth, err);
	}
	return r < 0 ? r : cp_finish(dir, name, &st, options, err);
}

int cp_object(int source, int dir, const char *name, const struct cp_options *options,
	      struct error *err)
{
	return copy_object(source, dir, name, options, 0, err);
}

static int open_source(const struct cp_place *from, const struct cp_options *options,
		       struct error *err)
{
	bool follow = options->follow_link || str_ends_with(from->path, "/") ||
		      str_ends_with(from->path, "/.");

	return cp_open(from, from->path, O_PATH | (follow ? 0 : O_NOFOLLOW), err);
}

/* Where a file or directory that is not there yet is to be made. */
static int open_parent(const struct cp_place *to, struct error *err)
{
	_cleanup_free_ char *parent = dir_name(to->path);

	return cp_open(to, parent, O_RDONLY | O_DIRECTORY, err);
}

static int copy_file(int source, const struct cp_place *from, const struct cp_place *to,
		     const struct stat *there, const struct cp_options *options, struct error *err)
{
	_cleanup_free_ char *name = NULL;
	_cleanup_close_ int dir = -EBADF;

	if (there && S_ISDIR(there->st_mode)) {
		name = cp_base_name(from->path);
		dir = cp_open(to, to->path, O_RDONLY | O_DIRECTORY, err);
	} else if (str_ends_with(to->path, "/")) {
		return error_set(err, ENOTDIR, "%s is not a directory", to->path);
	} else {
		name = cp_base_name(to->path);
		dir = open_parent(to, err);
	}
	return dir < 0 ? dir : copy_object(source, dir, name, options, 0, err);
}

static int copy_folder(int source, const struct cp_place *from, const struct cp_place *to,
		       const struct stat *there, const struct cp_options *options,
		       struct error *err)
{
	bool content = str_ends_with(from->path, "/.") || !strcmp(from->path, ".");
	_cleanup_free_ char *name = NULL;
	_cleanup_close_ int dir = -EBADF;

	if (there && !S_ISDIR(there->st_mode))
		return error_set(err, ENOTDIR, "cannot copy a directory over the file %s",
				 to->path);
	if (!there) {
		name = cp_base_name(to->path);
		dir = open_parent(to, err);
		return dir < 0 ? dir : copy_object(source, dir, name, options, 0, err);
	}
	dir = cp_open(to, to->path, O_RDONLY | O_DIRECTORY, err);
	if (dir < 0)
		return dir;
	name = cp_base_name(from->path);
	if (content || !strcmp(name, ".") || !strcmp(name, ".."))
		return copy_content(source, dir, options, 0, err);
	return copy_object(source, dir, name, options, 0, err);
}

int cp_tree(const struct cp_place *from, const struct cp_place *to,
	    const struct cp_options *options, struct error *err)
{
	_cleanup_close_ int source = open_source(from, options, err), target = -EBADF;
	struct error missing = ERROR_INIT;
	struct stat st, there;
	bool exists;

	if (source < 0)
		return source;
	if (fstat(source, &st) < 0)
		return error_errno(err, "%s", from->path);
	target = cp_open(to, to->path, O_PATH, &missing);
	exists = target >= 0 && fstat(target, &there) == 0;
	if (S_ISDIR(st.st_mode))
		return copy_folder(source, from, to, exists ? &there : NULL, options, err);
	return copy_file(source, from, to, exists ? &there : NULL, options, err);
}
