// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fs_tree.c - the half of fs.h that is about directories: making, listing, removing them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/str.h"

int fs_open_dir(int dirfd, const char *name, struct error *err)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, "open directory %s", name);
	return fd;
}

int fs_mkdir_path(const char *path, mode_t mode, struct error *err)
{
	_cleanup_free_ char *prefix = NULL;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		return error_errno(err, "open directory %s", path);
	prefix = alloc_string(path);
	for (char *at = prefix + strspn(prefix, "/"); at;) {
		char *slash = strchr(at, '/');

		if (slash)
			*slash = '\0';
		if (mkdir(prefix, mode) < 0 && errno != EEXIST)
			return error_errno(err, "make directory %s", prefix);
		if (!slash)
			break;
		*slash = '/';
		at = slash + strspn(slash, "/");
		if (*at == '\0')
			break;
	}
	return fs_open_dir(AT_FDCWD, path, err);
}

int fs_mkdir_open(int dirfd, const char *name, mode_t mode, struct error *err)
{
	int fd;

	if (mkdirat(dirfd, name, mode) < 0 && errno != EEXIST)
		return error_errno(err, "make directory %s", name);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "open directory %s", name);
	return fd;
}

int fs_mkdir_unique(int dirfd, const char *prefix, char **ret_name, struct error *err)
{
	for (int attempt = 0;; attempt++) {
		_cleanup_free_ char *name = NULL;
		char hex[17];
		int fd;

		fs_random_hex(hex, 8);
		name = str_printf("%s%s", prefix, hex);
		if (mkdirat(dirfd, name, 0700) < 0) {
			if (errno == EEXIST && attempt < 100)
				continue;
			return error_errno(err, "make directory %s", name);
		}
		fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return error_errno(err, "open directory %s", name);
		*ret_name = TAKE_PTR(name);
		return fd;
	}
}

static bool is_dot(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int fs_list(int dirfd, const char *name, char ***ret_names, struct error *err)
{
	_cleanup_close_ int fd = fs_open_dir(dirfd, name, err);
	_cleanup_dir_ DIR *directory = NULL;
	char **names = NULL;
	size_t count = 0;

	if (fd < 0)
		return fd;
	directory = fdopendir(fd);
	if (!directory)
		return error_errno(err, "list %s", name);
	(void)TAKE_FD(fd);
	for (;;) {
		const struct dirent *entry;

		errno = 0;
		entry = readdir(directory);
		if (!entry)
			break;
		if (!is_dot(entry->d_name))
			*array_add(names, count) = alloc_string(entry->d_name);
	}
	*array_add(names, count) = NULL;
	if (errno != 0) {
		strv_free(names);
		return error_errno(err, "list %s", name);
	}
	qsort(names, count - 1, sizeof(*names), compare_names);
	*ret_names = names;
	return 0;
}

/*
 * Removing. A container may have left a tree so deep that one fd a level is not to be had: from
 * DEPTH_MAX on a directory is moved up to the tree's root, which is looked through until it is
 * empty. Mounts are not entered: what is mounted there belongs to somebody else.
 */
#define DEPTH_MAX  64
#define PASSES_MAX (1 << 20)

struct removal {
	int top;    /* the tree's root, for what is moved up */
	bool moved; /* something was, since the last pass */
};

static int open_to_empty(int dirfd, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};
	int fd = (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));

	/* Without root, a directory of mode 0 has to be opened up first. */
	if (fd < 0 && errno == EACCES && fchmodat(dirfd, name, 0700, 0) == 0)
		fd = (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

static int remove_entries(struct removal *removal, int fd, int depth);

static int remove_directory(struct removal *removal, int parent, const char *name, int depth)
{
	char up[32] = ".deep-";
	int fd, r;

	if (depth > DEPTH_MAX) {
		fs_random_hex(up + strlen(up), 8);
		if (renameat(parent, name, removal->top, up) < 0)
			return -errno;
		removal->moved = true;
		return 0;
	}
	/* Many are empty, and need not be looked into. */
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
		return 0;
	fd = open_to_empty(parent, name);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = remove_entries(removal, fd, depth);
	if (r < 0)
		return r;
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

static int remove_entry(struct removal *removal, int fd, const struct dirent *entry, int depth)
{
	if (entry->d_type != DT_DIR) {
		if (unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT)
			return 0;
		if (errno == EACCES && fchmod(fd, 0700) == 0 && unlinkat(fd, entry->d_name, 0) == 0)
			return 0;
		if (errno != EISDIR && errno != EPERM)
			return -errno;
	}
	return remove_directory(removal, fd, entry->d_name, depth + 1);
}

/* Empties the directory @fd, which it takes, going on after a failure; gives the first one. */
static int remove_entries(struct removal *removal, int fd, int depth)
{
	_cleanup_dir_ DIR *directory = fdopendir(fd);
	const struct dirent *entry;
	int r = 0;

	if (!directory) {
		close(fd);
		return -ENOMEM;
	}
	while ((entry = readdir(directory))) {
		int result;

		if (is_dot(entry->d_name))
			continue;
		result = remove_entry(removal, fd, entry, depth);
		if (result < 0 && r == 0)
			r = result;
	}
	return r;
}

static int remove_root(int dirfd, const char *name)
{
	_cleanup_close_ int fd = open_to_empty(dirfd, name);
	struct removal removal = {.top = fd};
	int stubborn = 0;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	for (int pass = 0; pass < PASSES_MAX; pass++) {
		int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

		if (again < 0)
			return -errno;
		removal.moved = false;
		r = remove_entries(&removal, again, 0);
		if (r < 0)
			return r;
		if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		/* Somebody may still be writing there: not for ever. */
		if (errno != ENOTEMPTY || (!removal.moved && ++stubborn > 10))
			return -errno;
	}
	return -ENOTEMPTY;
}

int fs_remove_tree(int dirfd, const char *name, struct error *err)
{
	int r;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return error_errno(err, "remove %s", name);
	r = remove_root(dirfd, name);
	if (r == -EXDEV || r == -EBUSY)
		return error_set(err, EBUSY, "remove %s: something is mounted there", name);
	if (r < 0)
		return error_code(err, r, "remove %s", name);
	return 0;
}
