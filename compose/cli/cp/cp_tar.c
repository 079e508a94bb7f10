// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/rootpath.h"
#include "common/str.h"

#include "runtime/image/archive.h"

#include "compose/cli/cp/cp_tree.h"

#define DEPTH_MAX 256
#define READ_SIZE (256 << 10)

struct packing {
	struct tar_writer writer;
	char *buffer;
	struct error *err;
};

static int pack_bytes(struct packing *packing, int fd, int64_t size)
{
	const struct libarchive *lib = packing->writer.lib;
	int64_t left = size;

	while (left > 0) {
		ssize_t n = read(fd, packing->buffer, left < READ_SIZE ? (size_t)left : READ_SIZE);

		if (n <= 0)
			return n < 0 ? error_errno(packing->err, "read it")
				     : error_set(packing->err, EIO, "it became shorter meanwhile");
		if (lib->archive_write_data(packing->writer.archive, packing->buffer, (size_t)n) <
		    0)
			return tar_writer_fail(&packing->writer, packing->err);
		left -= n;
	}
	return 0;
}

static int pack_object(struct packing *packing, int fd, const char *name, int depth);

static int pack_folder(struct packing *packing, int fd, const char *name, int depth)
{
	_cleanup_close_ int inside = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_strv_ char **names = NULL;

	if (inside < 0)
		return error_errno(packing->err, "read the directory '%s'", name);
	if (depth > DEPTH_MAX)
		return error_set(packing->err, ELOOP, "more than %d directories deep", DEPTH_MAX);
	if (fs_list(inside, ".", &names, packing->err) < 0)
		return -packing->err->code;
	strv_foreach(entry, names) {
		_cleanup_close_ int next = openat(inside, entry, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		_cleanup_free_ char *path = str_printf("%s/%s", name, entry);

		if (next >= 0 && pack_object(packing, next, path, depth + 1) < 0)
			return -packing->err->code;
	}
	return 0;
}

static int pack_object(struct packing *packing, int fd, const char *name, int depth)
{
	const struct libarchive *lib = packing->writer.lib;
	struct archive_entry *entry = packing->writer.entry;
	char target[PATH_MAX] = "", path[FD_PATH_MAX];
	_cleanup_close_ int data = -EBADF;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(packing->err, "'%s'", name);
	if (S_ISSOCK(st.st_mode))
		return 0;
	lib->archive_entry_clear(entry);
	lib->archive_entry_copy_stat(entry, &st);
	lib->archive_entry_set_pathname(entry, name);
	if (!S_ISREG(st.st_mode))
		lib->archive_entry_set_size(entry, 0);
	if (S_ISLNK(st.st_mode)) {
		if (readlinkat(fd, "", target, sizeof(target) - 1) < 0)
			return error_errno(packing->err, "read the link '%s'", name);
		lib->archive_entry_set_symlink(entry, target);
	}
	if (S_ISREG(st.st_mode)) {
		data = open(fd_path(fd, path), O_RDONLY | O_CLOEXEC);
		if (data < 0)
			return error_errno(packing->err, "read '%s'", name);
	}
	if (lib->archive_write_header(packing->writer.archive, entry) < ARCHIVE_WARN)
		return tar_writer_fail(&packing->writer, packing->err);
	if (S_ISREG(st.st_mode))
		return pack_bytes(packing, data, st.st_size);
	return S_ISDIR(st.st_mode) ? pack_folder(packing, fd, name, depth) : 0;
}

int cp_tar_write(const struct cp_place *from, const struct cp_options *options, int fd,
		 struct error *err)
{
	_cleanup_free_ char *name = cp_base_name(from->path);
	_cleanup_close_ int source =
		cp_open(from, from->path, O_PATH | (options->follow_link ? 0 : O_NOFOLLOW), err);
	struct packing packing = {.err = err};
	int r;

	if (source < 0)
		return source;
	r = tar_writer_open(&packing.writer, fd, err);
	if (r < 0)
		return r;
	packing.buffer = alloc(READ_SIZE);
	r = pack_object(&packing, source, name, 0);
	if (r >= 0)
		r = tar_writer_close(&packing.writer, err);
	tar_writer_done(&packing.writer);
	free(packing.buffer);
	return r;
}

struct unpacking {
	const struct libarchive *lib;
	struct archive *archive;
	struct archive_entry *entry;
	int fd, dir;
	const struct cp_options *options;
	char *buffer;
};

static la_ssize_t read_some(struct archive *archive, void *data, const void **ret)
{
	struct unpacking *unpacking = data;
	ssize_t n = read(unpacking->fd, unpacking->buffer, READ_SIZE);

	*ret = unpacking->buffer;
	return n;
}

static int broken(const struct unpacking *unpacking, struct error *err)
{
	return error_set(err, EINVAL, "the archive: %s",
			 unpacking->lib->archive_error_string(unpacking->archive) ?: "broken");
}

static int unpack_bytes(struct unpacking *unpacking, int out, const char *name, struct error *err)
{
	const void *data;
	size_t size;
	la_int64_t offset, end = 0;
	int r;

	while ((r = unpacking->lib->archive_read_data_block(unpacking->archive, &data, &size,
							    &offset)) == ARCHIVE_OK ||
	       r == ARCHIVE_WARN) {
		if (pwrite(out, data, size, offset) != (ssize_t)size)
			return error_errno(err, "write '%s'", name);
		end = offset + (la_int64_t)size;
	}
	if (r != ARCHIVE_EOF)
		return broken(unpacking, err);
	if (unpacking->lib->archive_entry_size_is_set(unpacking->entry) &&
	    unpacking->lib->archive_entry_size(unpacking->entry) > end)
		r = ftruncate(out, unpacking->lib->archive_entry_size(unpacking->entry));
	else
		r = 0;
	return r < 0 ? error_errno(err, "write '%s'", name) : 0;
}

static void read_stat(const struct unpacking *unpacking, struct stat *ret)
{
	const struct libarchive *lib = unpacking->lib;
	struct archive_entry *entry = unpacking->entry;

	*ret = (struct stat){
		.st_mode = (mode_t)lib->archive_entry_filetype(entry) |
			   (mode_t)lib->archive_entry_perm(entry),
		.st_uid = (uid_t)lib->archive_entry_uid(entry),
		.st_gid = (gid_t)lib->archive_entry_gid(entry),
		.st_rdev = makedev((unsigned int)lib->archive_entry_rdevmajor(entry),
				   (unsigned int)lib->archive_entry_rdevminor(entry)),
		.st_mtim = {lib->archive_entry_mtime(entry), lib->archive_entry_mtime_nsec(entry)},
	};
}

/* The directory that @name is to be made in: inside ours, whatever the archive says. */
static int parent_of(const struct unpacking *unpacking, const char *name, struct error *err)
{
	const char *slash = strrchr(name, '/');
	_cleanup_free_ char *parent =
		slash ? alloc_string_n(name, (size_t)(slash - name)) : alloc_string(".");
	_cleanup_close_ int made = rootpath_mkdirs(unpacking->dir, parent, 0755, err);

	return made < 0 ? made
			: rootpath_open(unpacking->dir, parent, O_RDONLY | O_DIRECTORY, 0, err);
}

static int unpack_link(struct unpacking *unpacking, int dir, const char *base, const char *target,
		       struct error *err)
{
	_cleanup_close_ int to = rootpath_open(unpacking->dir, target, O_PATH | O_NOFOLLOW, 0, err);
	char path[FD_PATH_MAX];

	if (to < 0)
		return to;
	(void)unlinkat(dir, base, 0);
	if (linkat(AT_FDCWD, fd_path(to, path), dir, base, AT_SYMLINK_FOLLOW) < 0)
		return error_errno(err, "link '%s'", base);
	return 0;
}

static int unpack_entry(struct unpacking *unpacking, struct error *err)
{
	const struct libarchive *lib = unpacking->lib;
	const char *pathname = lib->archive_entry_pathname(unpacking->entry);
	const char *hardlink = lib->archive_entry_hardlink(unpacking->entry);
	_cleanup_free_ char *name = NULL, *base = NULL;
	_cleanup_close_ int dir = -EBADF, out = -EBADF;
	struct stat st;
	int r = 0;

	if (!pathname)
		return error_set(err, EINVAL, "the archive has a name that is not UTF-8");
	name = alloc_string(pathname);
	while (*name && str_ends_with(name, "/"))
		name[strlen(name) - 1] = '\0';
	base = cp_base_name(name);
	if (!strcmp(base, ".") || !strcmp(base, ".."))
		return 0;
	dir = parent_of(unpacking, name, err);
	if (dir < 0)
		return dir;
	if (hardlink)
		return unpack_link(unpacking, dir, base, hardlink, err);
	read_stat(unpacking, &st);
	out = cp_make(dir, base, &st, lib->archive_entry_symlink(unpacking->entry) ?: "",
		      unpacking->options, err);
	if (err->code)
		return -err->code;
	if (out >= 0)
		r = unpack_bytes(unpacking, out, base, err);
	return r < 0 ? r : cp_finish(dir, base, &st, unpacking->options, err);
}

int cp_tar_read(int fd, const struct cp_place *to, const struct cp_options *options,
		struct error *err)
{
	struct unpacking unpacking = {.fd = fd, .options = options, .dir = -EBADF};
	int r;

	unpacking.lib = libarchive_load(err);
	if (!unpacking.lib)
		return -err->code;
	unpacking.dir = cp_open(to, to->path, O_RDONLY | O_DIRECTORY, err);
	if (unpacking.dir < 0)
		return error_set(err, ENOTDIR, "destination %s must be a directory", to->path);
	unpacking.archive = unpacking.lib->archive_read_new();
	unpacking.buffer = alloc(READ_SIZE);
	unpacking.lib->archive_read_support_format_tar(unpacking.archive);
	r = unpacking.lib->archive_read_open(unpacking.archive, &unpacking, NULL, read_some, NULL);
	r = r == ARCHIVE_OK ? 0 : broken(&unpacking, err);
	while (r == 0) {
		int next = unpacking.lib->archive_read_next_header(unpacking.archive,
								   &unpacking.entry);

		if (next == ARCHIVE_EOF)
			break;
		r = next == ARCHIVE_OK || next == ARCHIVE_WARN ? unpack_entry(&unpacking, err)
							       : broken(&unpacking, err);
	}
	unpacking.lib->archive_read_free(unpacking.archive);
	close(unpacking.dir);
	free(unpacking.buffer);
	return r;
}
