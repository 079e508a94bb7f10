// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/rootpath.h"
#include "common/str.h"

#define WHITEOUT_PREFIX ".wh."
#define WHITEOUT_META   ".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

void extract_init(struct extract *extract, struct tar_reader *reader, int root,
		  const struct extract_limits *limits)
{
	*extract = (struct extract){.lib = reader->lib,
				    .reader = reader,
				    .root = root,
				    .parent = -EBADF,
				    .limits = *limits};
	extract->usage = &extract->own_usage;
}

void extract_forget_parent(struct extract *extract)
{
	cleanup_close_fd(&extract->parent);
	extract->parent = -EBADF;
	free(extract->parent_path);
	extract->parent_path = NULL;
}

void extract_done(struct extract *extract)
{
	extract_forget_parent(extract);
	for (size_t i = 0; i < extract->directory_count; i++)
		free(extract->directories[i].path);
	free(extract->directories);
	map_done(&extract->opaque, NULL);
}

int extract_clean_path(char *path)
{
	char *to = path, *from = path;

	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	while (*from) {
		size_t n = strcspn(from, "/");

		if (n > EXTRACT_NAME_MAX)
			return -ENAMETOOLONG;
		if (n == 2 && from[0] == '.' && from[1] == '.')
			return -EXDEV;
		if (n > 0 && !(n == 1 && from[0] == '.')) {
			if (to != path)
				*to++ = '/';
			memmove(to, from, n);
			to += n;
		}
		from += n;
		from += strspn(from, "/");
	}
	*to = '\0';
	return 0;
}

int extract_open_directory(const struct extract *extract, const char *path)
{
	return rootpath_open_raw(extract->root, *path ? path : ".", O_PATH | O_DIRECTORY, 0);
}

static int enter_parent(struct extract *extract, const char *path, struct error *err)
{
	struct stat st;
	int fd;

	if (extract->parent_path && strcmp(extract->parent_path, path) == 0)
		return 0;
	extract_forget_parent(extract);
	fd = extract_open_directory(extract, path);
	/* An archive need not list the directories of its files. */
	if (fd == -ENOENT)
		fd = rootpath_mkdirs(extract->root, path, 0755, err);
	else if (fd < 0)
		error_code(err, fd, "its directory");
	if (fd < 0)
		return fd;
	extract->parent = fd;
	extract->parent_path = alloc_string(path);
	/* Files may inherit the group of their directory: when it is setgid, or by a mount option.
	 */
	extract->parent_plain =
		geteuid() == 0 && getegid() == 0 && fstat(fd, &st) == 0 && st.st_gid == 0;
	return 0;
}

static int make_whiteout(struct extract *extract, const char *name, struct error *err)
{
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return error_set(err, EBADMSG, "a whiteout of nothing");
	/* What this layer itself brings stays: a whiteout is about the layers below. */
	if (mknodat(extract->parent, name, S_IFCHR, makedev(0, 0)) < 0 && errno != EEXIST)
		return error_errno(err, "make the whiteout");
	return 0;
}

static void remember_opaque(struct extract *extract, const char *path)
{
	map_set(&extract->opaque, path, extract);
}

static void remember_times(struct extract *extract, struct archive_entry *entry, const char *path)
{
	struct extract_directory *directory =
		array_add(extract->directories, extract->directory_count);

	directory->path = alloc_string(path);
	directory->mtime.tv_sec = extract->lib->archive_entry_mtime(entry);
	directory->mtime.tv_nsec = extract->lib->archive_entry_mtime_nsec(entry);
}

/* What stands in the way of @name goes, unless both are directories. 1: it stays. */
static int make_room(struct extract *extract, const char *path, const char *name, bool directory,
		     struct error *err)
{
	struct stat st;
	int r;

	if (fstatat(extract->parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_errno(err, "look at it");
	if (directory && S_ISDIR(st.st_mode))
		return 1;
	/* A directory where this very layer hides the one below: it starts out empty. */
	if (directory && S_ISCHR(st.st_mode) && st.st_rdev == 0)
		remember_opaque(extract, path);
	if (!S_ISDIR(st.st_mode))
		return unlinkat(extract->parent, name, 0) < 0 ? error_errno(err, "replace it") : 0;
	int dir = openat(extract->parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return error_errno(err, "replace it");
	r = fs_remove_tree(dir, name, err);
	close(dir);
	return r;
}

static int apply_to_root(struct extract *extract, struct archive_entry *entry, struct error *err)
{
	int r;

	if (extract->lib->archive_entry_filetype(entry) != AE_IFDIR)
		return error_set(err, EBADMSG, "it would replace the root directory");
	r = enter_parent(extract, "", err);
	if (r < 0)
		return r;
	remember_times(extract, entry, "");
	r = entry_make(extract, entry, ".", err);
	extract_forget_parent(extract);
	return r;
}

static int apply_named(struct extract *extract, struct archive_entry *entry, const char *path,
		       const char *name, struct error *err)
{
	bool directory = extract->lib->archive_entry_filetype(entry) == AE_IFDIR &&
			 !extract->lib->archive_entry_hardlink(entry);
	int r;

	if (str_starts_with(name, WHITEOUT_META)) {
		if (strcmp(name, WHITEOUT_OPAQUE) == 0)
			remember_opaque(extract, extract->parent_path);
		return 0; /* the rest is aufs' own bookkeeping */
	}
	if (str_starts_with(name, WHITEOUT_PREFIX))
		return make_whiteout(extract, name + strlen(WHITEOUT_PREFIX), err);
	/* A file is mostly the first of its name: it is made at once, and room if need be. */
	if (extract->lib->archive_entry_filetype(entry) == AE_IFREG &&
	    !extract->lib->archive_entry_hardlink(entry)) {
		r = entry_make(extract, entry, name, err);
		if (r != -EEXIST || err->code)
			return r;
	}
	r = make_room(extract, path, name, directory, err);
	if (r < 0)
		return r;
	if (directory)
		remember_times(extract, entry, path);
	r = entry_make(extract, entry, name, err);
	return r == -EEXIST && !err->code ? error_set(err, EEXIST, "make the file") : r;
}

static int apply(struct extract *extract, struct archive_entry *entry, char *path,
		 struct error *err)
{
	char *slash, *name = path;
	int r;

	r = extract_clean_path(path);
	if (r == -EXDEV)
		return error_set(err, EBADMSG, "its name leads out with '..'");
	if (r < 0)
		return error_code(err, r, "its name");
	if (!*path)
		return apply_to_root(extract, entry, err);
	slash = strrchr(path, '/');
	if (slash) {
		*slash = '\0';
		name = slash + 1;
	}
	r = enter_parent(extract, slash ? path : "", err);
	if (slash)
		*slash = '/';
	return r < 0 ? r : apply_named(extract, entry, path, name, err);
}

static int set_directory_times(struct extract *extract)
{
	for (size_t i = extract->directory_count; i-- > 0;) {
		const struct extract_directory *directory = &extract->directories[i];
		struct timespec times[2] = {directory->mtime, directory->mtime};
		_cleanup_close_ int fd =
			rootpath_open_raw(extract->root, *directory->path ? directory->path : ".",
					  O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

		/* It may have been replaced by something else further on. */
		if (fd >= 0)
			(void)futimens(fd, times);
	}
	return 0;
}

int extract_run(struct extract *extract, struct error *err)
{
	struct archive_entry *entry;
	int r;

	while ((r = tar_reader_next(extract->reader, &entry, err)) > 0) {
		const char *raw = extract->lib->archive_entry_pathname(entry);
		_cleanup_free_ char *path = alloc_string(raw);

		if (!path)
			return error_set(err, EBADMSG, "entry %llu: its name cannot be read",
					 (unsigned long long)extract->entries);
		extract->entries++;
		if (++extract->usage->entries > extract->limits.entries)
			return error_set(err, EFBIG,
					 "more than %llu entries: the disk cannot take "
					 "them",
					 (unsigned long long)extract->limits.entries);
		r = apply(extract, entry, path, err);
		if (r < 0)
			return error_wrap(err, "entry '%.200s'", raw);
	}
	return r < 0 ? r : set_directory_times(extract);
}
