// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The content of files as a digest: names, kinds, modes, bytes, links, attributes; no times.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/rootpath.h"
#include "common/str.h"

#include "runtime/build/build.h"

#define DEPTH_MAX 256
#define READ_SIZE (256 << 10)

static void add(struct digest *digest, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct digest *digest, const char *format, ...)
{
	char text[PATH_MAX + 256];
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	sha256_update(&digest->sha, text, n < (int)sizeof(text) ? (size_t)n + 1 : sizeof(text));
}

static int add_content(struct digest *digest, int fd, struct error *err)
{
	static char buffer[READ_SIZE];
	char path[FD_PATH_MAX];
	_cleanup_close_ int file = open(fd_path(fd, path), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (file < 0)
		return error_errno(err, "open it");
	while ((n = read(file, buffer, sizeof(buffer))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "read it");
		sha256_update(&digest->sha, buffer, (size_t)n);
	}
	return 0;
}

static void add_capability(struct digest *digest, int fd)
{
	char path[FD_PATH_MAX], value[64];
	ssize_t n = getxattr(fd_path(fd, path), "security.capability", value, sizeof(value));

	if (n > 0)
		sha256_update(&digest->sha, value, (size_t)n);
}

static int add_tree(struct digest *digest, int dir, const char *path, const char *shown, int depth,
		    struct error *err);

static bool left_out(const struct digest *digest, const char *path, const char *shown,
		     bool directory)
{
	if (digest->ignore && *path &&
	    (directory ? ignore_prunes(digest->ignore, path)
		       : ignore_matches(digest->ignore, path, NULL)))
		return true;
	return digest->exclude && *shown &&
	       (directory ? ignore_prunes(digest->exclude, shown)
			  : ignore_matches(digest->exclude, shown, NULL));
}

/* @path in the root, for the ignore file; @shown from the source that is copied. */
static int add_object(struct digest *digest, int fd, const char *path, const char *shown, int depth,
		      struct error *err)
{
	_cleanup_close_ int inside = -EBADF;
	char target[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return error_errno(err, "'%.200s'", path);
	if (left_out(digest, path, shown, S_ISDIR(st.st_mode)) || S_ISSOCK(st.st_mode))
		return 0;
	digest->files++;
	add(digest, "%s %o", shown, st.st_mode);
	if (digest->owners)
		add(digest, "%u:%u", st.st_uid, st.st_gid);
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(fd, "", target, sizeof(target) - 1);
		if (n < 0)
			return error_errno(err, "'%.200s'", path);
		sha256_update(&digest->sha, target, (size_t)n);
		return 0;
	}
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		add(digest, "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	if (S_ISREG(st.st_mode)) {
		add(digest, "%lld", (long long)st.st_size);
		add_capability(digest, fd);
		if (add_content(digest, fd, err) < 0)
			return error_wrap(err, "'%.200s'", path);
	}
	if (!S_ISDIR(st.st_mode))
		return 0;
	inside = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (inside < 0)
		return error_errno(err, "'%.200s'", path);
	return add_tree(digest, inside, path, shown, depth + 1, err);
}

static int add_tree(struct digest *digest, int dir, const char *path, const char *shown, int depth,
		    struct error *err)
{
	_cleanup_strv_ char **names = NULL;

	if (depth > DEPTH_MAX)
		return error_set(err, ELOOP, "'%.200s': more than %d folders deep", path,
				 DEPTH_MAX);
	if (fs_list(dir, ".", &names, err) < 0)
		return -err->code;
	strv_foreach(name, names) {
		_cleanup_free_ char *below = str_printf("%s%s%s", path, *path ? "/" : "", name);
		_cleanup_free_ char *seen = str_printf("%s%s%s", shown, *shown ? "/" : "", name);
		_cleanup_close_ int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			return error_errno(err, "'%.200s'", below);
		if (add_object(digest, fd, below, seen, depth, err) < 0)
			return -err->code;
	}
	return 0;
}

int digest_path(struct digest *digest, const char *path, struct error *err)
{
	_cleanup_close_ int fd = rootpath_open_raw(digest->root, path, O_PATH, 0);

	if (fd < 0)
		return error_code(err, fd, "%s", path);
	add(digest, "source %s", path);
	return add_object(digest, fd, path, "", 0, err);
}
