// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/rootpath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"

#define DANGLING_LINKS_MAX 8

int rootpath_open_raw(int rootfd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = flags & (O_CREAT | __O_TMPFILE) ? mode & 07777 : 0,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	/* openat2(2): EAGAIN when a rename or mount elsewhere raced with the resolution of "..". */
	for (int attempt = 0; attempt < 1000; attempt++) {
		int fd = (int)syscall(SYS_openat2, rootfd, *path ? path : ".", &how, sizeof(how));

		if (fd >= 0)
			return fd;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

int rootpath_open(int rootfd, const char *path, int flags, mode_t mode, struct error *err)
{
	int fd = rootpath_open_raw(rootfd, path, flags, mode);

	if (fd < 0)
		return error_code(err, fd, "open %s", path);
	return fd;
}

/* Splits @path into its last component and what stands before it ("" for the root). */
static int split(const char *path, char parent[PATH_MAX], char base[NAME_MAX + 1])
{
	size_t end = strlen(path), start;

	while (end > 0 && path[end - 1] == '/')
		end--;
	start = end;
	while (start > 0 && path[start - 1] != '/')
		start--;
	if (end - start > NAME_MAX || start >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(base, path + start, end - start);
	base[end - start] = '\0';
	memcpy(parent, path, start);
	parent[start] = '\0';
	return 0;
}

/* Where the link @base in @parentfd (at @parent) leads, as a path from the root. */
static int link_target(int parentfd, const char *parent, const char *base, char target[PATH_MAX])
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(parentfd, base, text, sizeof(text) - 1);
	int length;

	target[0] = '\0';
	if (n < 0)
		return -errno;
	text[n] = '\0';
	length = snprintf(target, PATH_MAX, "%s%s%s", text[0] == '/' ? "" : parent,
			  text[0] == '/' ? "" : "/", text);
	return length < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int make_directories(int rootfd, const char *path, mode_t mode, int links);

/* Makes the last component of @path, whose parent exists; a dangling link is made to lead
 * somewhere. */
static int make_directory(int rootfd, const char *path, mode_t mode, int links)
{
	char parent[PATH_MAX], base[NAME_MAX + 1], target[PATH_MAX];
	_cleanup_close_ int parentfd = -EBADF, made = -EBADF;
	int r = split(path, parent, base);

	if (r < 0)
		return r;
	parentfd = rootpath_open_raw(rootfd, parent, O_PATH | O_DIRECTORY, 0);
	if (parentfd < 0)
		return parentfd;
	if (mkdirat(parentfd, base, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	r = link_target(parentfd, parent, base, target);
	if (r == -EINVAL) /* not a link: somebody made it meanwhile */
		return 0;
	if (r < 0)
		return r;
	if (links >= DANGLING_LINKS_MAX)
		return -ELOOP;
	made = make_directories(rootfd, target, mode, links + 1);
	return made < 0 ? made : 0;
}

static int make_directories(int rootfd, const char *path, mode_t mode, int links)
{
	size_t length = strlen(path), end = 0;
	char prefix[PATH_MAX];
	int fd = rootpath_open_raw(rootfd, path, O_PATH | O_DIRECTORY, 0);

	if (fd != -ENOENT)
		return fd;
	if (length >= sizeof(prefix))
		return -ENAMETOOLONG;
	while (end < length) {
		int r;

		end += strspn(path + end, "/");
		end += strcspn(path + end, "/");
		memcpy(prefix, path, end);
		prefix[end] = '\0';
		fd = rootpath_open_raw(rootfd, prefix, O_PATH | O_DIRECTORY, 0);
		if (fd == -ENOENT) {
			r = make_directory(rootfd, prefix, mode, links);
			if (r < 0)
				return r;
			continue;
		}
		if (fd < 0)
			return fd;
		close(fd);
	}
	return rootpath_open_raw(rootfd, path, O_PATH | O_DIRECTORY, 0);
}

int rootpath_mkdirs(int rootfd, const char *path, mode_t mode, struct error *err)
{
	int fd = make_directories(rootfd, path, mode, 0);

	if (fd < 0)
		return error_code(err, fd, "make directory %s", path);
	return fd;
}

static int make_file(int rootfd, const char *path, int links)
{
	char parent[PATH_MAX], base[NAME_MAX + 1], target[PATH_MAX];
	_cleanup_close_ int parentfd = -EBADF, made = -EBADF;
	int fd = rootpath_open_raw(rootfd, path, O_PATH, 0), r;

	if (fd != -ENOENT)
		return fd;
	r = split(path, parent, base);
	if (r < 0)
		return r;
	parentfd = make_directories(rootfd, parent, 0755, links);
	if (parentfd < 0)
		return parentfd;
	made = openat(parentfd, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (made >= 0)
		return rootpath_open_raw(rootfd, path, O_PATH, 0);
	if (errno != EEXIST)
		return -errno;
	/* A link to nowhere, as /etc/resolv.conf often is in images. */
	r = link_target(parentfd, parent, base, target);
	if (r == -EINVAL)
		return rootpath_open_raw(rootfd, path, O_PATH, 0);
	if (r < 0)
		return r;
	return links < DANGLING_LINKS_MAX ? make_file(rootfd, target, links + 1) : -ELOOP;
}

static bool is_directory(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
}

int rootpath_make_target(int rootfd, const char *path, int directory, struct error *err)
{
	int fd = directory ? make_directories(rootfd, path, 0755, 0) : make_file(rootfd, path, 0);

	if (fd == -ENOTDIR && directory)
		return error_set(err, ENOTDIR,
				 "%s: a directory cannot be mounted there, the image has a file",
				 path);
	if (fd < 0)
		return error_code(err, fd, "make mount point %s", path);
	if (!directory && is_directory(fd)) {
		close(fd);
		return error_set(err, EISDIR,
				 "%s: a file cannot be mounted there, the image has a directory",
				 path);
	}
	return fd;
}
