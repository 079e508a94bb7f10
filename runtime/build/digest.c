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

static void add_capability(struct sha256 *sha, int fd)
{
	char value[64];
	ssize_t n = fgetxattr(fd, "security.capability", value, sizeof(value));

	if (n > 0)
		sha256_update(sha, value, (size_t)n);
}

/* Content and capabilities of a file, which must be the one that @st is of. */
static int digest_file(int dir, const char *name, const struct stat *st,
		       unsigned char ret[STATCACHE_DIGEST], struct error *err)
{
	static char buffer[READ_SIZE];
	char path[FD_PATH_MAX];
	_cleanup_close_ int file =
		*name ? openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
		      : open(fd_path(dir, path), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat opened;
	struct sha256 sha;
	ssize_t n;

	if (file < 0 || fstat(file, &opened) < 0)
		return error_errno(err, "open it");
	if (opened.st_ino != st->st_ino || !S_ISREG(opened.st_mode))
		return error_set(err, EAGAIN, "it was replaced while it was read: build again");
	sha256_init(&sha);
	while ((n = read(file, buffer, sizeof(buffer))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "read it");
		sha256_update(&sha, buffer, (size_t)n);
	}
	add_capability(&sha, file);
	sha256_bytes(&sha, ret);
	return 0;
}

static int add_content(struct digest *digest, int dir, const char *name, const struct stat *st,
		       struct error *err)
{
	const unsigned char *known = digest->known ? statcache_find(digest->known, st) : NULL;
	unsigned char bytes[STATCACHE_DIGEST];

	if (!known) {
		if (digest_file(dir, name, st, bytes, err) < 0)
			return -err->code;
		if (digest->known)
			statcache_put(digest->known, st, bytes);
		known = bytes;
	}
	sha256_update(&digest->sha, known, STATCACHE_DIGEST);
	return 0;
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

static int add_link(struct digest *digest, int dir, const char *name, struct error *err)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return error_errno(err, "read the link");
	sha256_update(&digest->sha, target, (size_t)n);
	return 0;
}

static int add_folder(struct digest *digest, int dir, const char *name, const char *path,
		      const char *shown, int depth, struct error *err)
{
	_cleanup_close_ int inside =
		openat(dir, *name ? name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (inside < 0)
		return error_errno(err, "'%.200s'", path);
	return add_tree(digest, inside, path, shown, depth + 1, err);
}

/* "" is @dir itself, of any kind. @path in the root, for the ignore file; @shown from the source.
 */
static int add_object(struct digest *digest, int dir, const char *name, const char *path,
		      const char *shown, int depth, struct error *err)
{
	struct stat st;
	int r = 0;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		return error_errno(err, "'%.200s'", path);
	if (left_out(digest, path, shown, S_ISDIR(st.st_mode)) || S_ISSOCK(st.st_mode))
		return 0;
	digest->files++;
	add(digest, "%s %o", shown, st.st_mode);
	if (digest->owners)
		add(digest, "%u:%u", st.st_uid, st.st_gid);
	if (S_ISDIR(st.st_mode))
		return add_folder(digest, dir, name, path, shown, depth, err);
	if (S_ISLNK(st.st_mode))
		r = add_link(digest, dir, name, err);
	else if (S_ISREG(st.st_mode))
		r = add_content(digest, dir, name, &st, err);
	else
		add(digest, "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	return r < 0 ? error_wrap(err, "'%.200s'", path) : 0;
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

		if (add_object(digest, dir, name, below, seen, depth, err) < 0)
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
	return add_object(digest, fd, "", path, "", 0, err);
}
