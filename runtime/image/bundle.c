// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/rootpath.h"
#include "common/str.h"

#include "runtime/image/archive.h"
#include "runtime/image/confine.h"
#include "runtime/image/extract.h"

#define ENTRIES_MAX  100000
#define LINKS_MAX    8
#define SCAN_SIZE    (64 << 10)
#define TAR_MAGIC_AT 257

struct spooling {
	int fd, dir;
	struct extract_limits limits;
	uint64_t bytes;
	unsigned int entries;
};

static int spool_file(struct spooling *job, struct tar_reader *reader, const char *staged,
		      char ret_hex[SHA256_HEX_SIZE], uint64_t *ret_size, struct error *err)
{
	_cleanup_close_ int file = -EBADF;
	struct sha256 sha;
	const void *data;
	int64_t offset;
	size_t size;
	int r;

	file = openat(job->dir, staged, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (file < 0)
		return error_errno(err, "store it");
	sha256_init(&sha);
	*ret_size = 0;
	while ((r = tar_reader_block(reader, &data, &size, &offset, err)) > 0) {
		if ((uint64_t)offset != *ret_size)
			return error_set(err, EBADMSG, "a sparse file does not belong here");
		job->bytes += size;
		if (job->bytes > job->limits.bytes)
			return error_set(err, ENOSPC,
					 "the image needs more than the %llu MB that "
					 "are free",
					 (unsigned long long)(job->limits.bytes >> 20));
		sha256_update(&sha, data, size);
		*ret_size += size;
		r = fd_write_all(file, data, size);
		if (r < 0)
			return error_code(err, r, "store it");
	}
	sha256_hex(&sha, ret_hex);
	return r;
}

/* "dir/x" with the link "../y" in it means "y". NULL: it leads out. */
static char *resolve_link(const char *path, const char *target)
{
	_cleanup_strv_ char **parts = NULL, **more = strv_split(target, "/");
	const char *slash = strrchr(path, '/');
	size_t n;

	if (*target != '/' && slash) {
		_cleanup_free_ char *parent = alloc_string_n(path, (size_t)(slash - path));

		parts = strv_split(parent, "/");
	}
	n = strv_length(parts);
	strv_foreach(part, more) {
		if (strcmp(part, ".") == 0)
			continue;
		if (strcmp(part, "..") != 0) {
			strv_append(&parts, part);
			n++;
			continue;
		}
		if (n == 0)
			return NULL;
		free(parts[--n]);
		parts[n] = NULL;
	}
	return strv_join(parts, "/");
}

static void spool_link(json_t *list, const char *path, const char *target, bool hard)
{
	_cleanup_free_ char *resolved = hard ? alloc_string(target) : resolve_link(path, target);

	if (resolved && extract_clean_path(resolved) == 0)
		json_array_append_new(list,
				      json_pack("{s:s, s:s}", "path", path, "link", resolved));
}

/* The path that an entry has in the bundle, or NULL with an error. New string. */
static char *entry_path(const char *raw, unsigned int *entries, struct error *err)
{
	_cleanup_free_ char *path = alloc_string(raw);

	if (++*entries > ENTRIES_MAX)
		error_set(err, EFBIG, "the archive has more than %d entries", ENTRIES_MAX);
	else if (!path || !str_is_utf8(path, strlen(path)) || extract_clean_path(path) < 0)
		error_set(err, EBADMSG, "entry '%.200s': not a valid name", raw ? raw : "");
	else
		return TAKE_PTR(path);
	return NULL;
}

static bool add_link(const struct libarchive *lib, struct archive_entry *entry, const char *path,
		     json_t *list)
{
	const char *hard = lib->archive_entry_hardlink(entry);

	if (hard)
		spool_link(list, path, hard, true);
	else if (lib->archive_entry_filetype(entry) == AE_IFLNK)
		spool_link(list, path, lib->archive_entry_symlink(entry), false);
	return hard || lib->archive_entry_filetype(entry) == AE_IFLNK;
}

static int spool_entry(struct spooling *job, struct tar_reader *reader, struct archive_entry *entry,
		       json_t *list, struct error *err)
{
	const char *raw = reader->lib->archive_entry_pathname(entry);
	_cleanup_free_ char *path = entry_path(raw, &job->entries, err), *staged = NULL;
	char hex[SHA256_HEX_SIZE];
	uint64_t size = 0;
	int r;

	if (!path)
		return -err->code;
	if (add_link(reader->lib, entry, path, list) ||
	    reader->lib->archive_entry_filetype(entry) != AE_IFREG)
		return 0;
	staged = str_printf("file-%u", job->entries);
	r = spool_file(job, reader, staged, hex, &size, err);
	if (r < 0)
		return error_wrap(err, "entry '%.200s'", raw);
	json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I}", "path", path, "staged",
					      staged, "hex", hex, "size", (json_int_t)size));
	return 0;
}

/* In the confined child: every file of the tar into staging; the output is the list of them. */
static int spool(void *data, struct strbuf *output, struct error *err)
{
	_cleanup_json_ json_t *list = json_array();
	_cleanup_free_ char *text = NULL;
	struct spooling *job = data;
	struct archive_entry *entry;
	struct tar_reader reader;
	struct fd_source source;
	int r;

	fd_source_init(&source, job->fd);
	r = tar_reader_open(&reader, &source.base, -EBADF, err);
	if (r == 0) {
		reader.no_digest = true;
		while ((r = tar_reader_next(&reader, &entry, err)) > 0) {
			r = spool_entry(job, &reader, entry, list, err);
			if (r < 0)
				break;
		}
		tar_reader_close(&reader);
	}
	fd_source_done(&source);
	text = json_text(list);
	strbuf_add(output, text);
	return r;
}

struct scanning {
	int fd;
	uint64_t at, end;
	char *buffer;
	unsigned int entries;
};

static la_ssize_t scan_read(struct archive *archive, void *data, const void **ret_data)
{
	struct scanning *job = data;
	ssize_t n = pread(job->fd, job->buffer, SCAN_SIZE, (off_t)job->at);

	*ret_data = job->buffer;
	job->at += n > 0 ? (uint64_t)n : 0;
	return n;
}

static la_int64_t scan_skip(struct archive *archive, void *data, la_int64_t request)
{
	struct scanning *job = data;
	uint64_t left = job->end > job->at ? job->end - job->at : 0;
	uint64_t n = (uint64_t)request < left ? (uint64_t)request : left;

	job->at += n;
	return (la_int64_t)n;
}

static int scan_entry(struct scanning *job, const struct libarchive *lib, struct archive *archive,
		      struct archive_entry *entry, json_t *list, struct error *err)
{
	_cleanup_free_ char *path =
		entry_path(lib->archive_entry_pathname(entry), &job->entries, err);

	if (!path)
		return -err->code;
	if (add_link(lib, entry, path, list) || lib->archive_entry_filetype(entry) != AE_IFREG)
		return 0;
	/* What was taken of the archive so far is all up to this entry's content. */
	json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "path", path, "offset",
					      (json_int_t)lib->archive_filter_bytes(archive, 0),
					      "size", (json_int_t)lib->archive_entry_size(entry)));
	return 0;
}

static int scan_archive(struct scanning *job, const struct libarchive *lib, struct archive *archive,
			json_t *list, struct error *err)
{
	struct archive_entry *entry;
	int r = lib->archive_read_open2(archive, job, NULL, scan_read, scan_skip, NULL);

	while (r == ARCHIVE_OK || r == ARCHIVE_WARN) {
		r = lib->archive_read_next_header(archive, &entry);
		if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
			break;
		if (scan_entry(job, lib, archive, entry, list, err) < 0)
			return -err->code;
	}
	if (r == ARCHIVE_EOF)
		return 0;
	return error_set(err, EBADMSG, "not a valid archive: %s",
			 lib->archive_error_string(archive) ?: "unknown reason");
}

/* In the confined child: where in the tar each file lies. */
static int scan(void *data, struct strbuf *output, struct error *err)
{
	const struct libarchive *lib = libarchive_load(err);
	_cleanup_json_ json_t *list = json_array();
	_cleanup_free_ char *text = NULL;
	struct scanning *job = data;
	struct archive *archive;
	int r;

	if (!lib)
		return -err->code;
	job->buffer = alloc(SCAN_SIZE);
	archive = lib->archive_read_new();
	lib->archive_read_support_format_tar(archive);
	r = scan_archive(job, lib, archive, list, err);
	lib->archive_read_free(archive);
	free(job->buffer);
	text = json_text(list);
	strbuf_add(output, text);
	return r;
}

static void free_file(void *data)
{
	struct bundle_file *file = data;

	if (file) {
		free(file->staged);
		free(file->path);
	}
	free(file);
}

static void add_row(struct bundle *bundle, const json_t *row)
{
	const char *path = json_get_string(row, "path"), *link = json_get_string(row, "link");
	const char *hex = json_get_string(row, "hex");
	struct bundle_file *file;

	if (link) {
		free(map_set(&bundle->links, path, alloc_string(link)));
		return;
	}
	file = new (struct bundle_file);
	file->staged = alloc_string(json_get_string(row, "staged"));
	file->offset = (uint64_t)json_get_int(row, "offset", 0);
	file->size = (uint64_t)json_get_int(row, "size", 0);
	snprintf(file->hex, sizeof(file->hex), "%s", hex ? hex : "");
	free_file(map_set(&bundle->files, path, file));
}

static int list_tar(struct bundle *bundle, const struct confined *confined, struct error *err)
{
	_cleanup_strbuf_ struct strbuf output = {0};
	_cleanup_json_ json_t *list = NULL;
	json_t *row;
	size_t i;
	int r;

	r = confined_run(confined, &output, err);
	if (r == 0)
		r = json_parse(output.data, output.length, &list, err);
	if (r < 0)
		return r;
	json_array_foreach(list, i, row)
		add_row(bundle, row);
	return 0;
}

/* A tar as it is, in a file of which any part can be read. */
static bool lies_open(int fd, const struct stat *st, off_t *ret_start)
{
	char magic[5];

	*ret_start = lseek(fd, 0, SEEK_CUR);
	return S_ISREG(st->st_mode) && *ret_start >= 0 &&
	       pread(fd, magic, sizeof(magic), *ret_start + TAR_MAGIC_AT) == sizeof(magic) &&
	       memcmp(magic, "ustar", sizeof(magic)) == 0;
}

static int open_tar(struct bundle *bundle, int fd, const struct stat *st, struct error *err)
{
	struct spooling spooling = {.fd = fd, .dir = bundle->staging->dir};
	struct scanning scanning = {.fd = fd, .end = (uint64_t)st->st_size};
	struct confined confined = {.dir = bundle->staging->dir, .keep = &fd, .keep_count = 1};
	off_t start;
	int r;

	if (!lies_open(fd, st, &start)) {
		extract_limits_of(spooling.dir, &spooling.limits);
		confined.run = spool;
		confined.data = &spooling;
		return list_tar(bundle, &confined, err);
	}
	scanning.at = (uint64_t)start;
	confined.run = scan;
	confined.data = &scanning;
	r = list_tar(bundle, &confined, err);
	if (r < 0)
		return r;
	map_foreach(entry, &bundle->files)
		((struct bundle_file *)entry->value)->offset += (uint64_t)start;
	bundle->archive = fd_dup(fd);
	return bundle->archive < 0 ? error_code(err, bundle->archive, "the archive") : 0;
}

int bundle_open(struct bundle *bundle, struct staging *staging, int fd, struct error *err)
{
	struct stat st;

	*bundle = (struct bundle){.staging = staging, .folder = -EBADF, .archive = -EBADF};
	if (fstat(fd, &st) < 0)
		return error_errno(err, "the archive");
	if (!S_ISDIR(st.st_mode))
		return open_tar(bundle, fd, &st, err);
	bundle->folder = fd_dup(fd);
	return bundle->folder < 0 ? error_code(err, bundle->folder, "the archive") : 0;
}

void bundle_done(struct bundle *bundle)
{
	cleanup_close_fd(&bundle->folder);
	cleanup_close_fd(&bundle->archive);
	map_done(&bundle->files, free_file);
	map_done(&bundle->links, free);
}

static int open_in_folder(struct bundle *bundle, const char *path, struct stat *ret_st,
			  struct error *err)
{
	_cleanup_close_ int fd = rootpath_open_raw(bundle->folder, path, O_RDONLY | O_NONBLOCK, 0);

	if (fd < 0)
		return error_code(err, fd, "%.200s", path);
	if (fstat(fd, ret_st) < 0 || !S_ISREG(ret_st->st_mode))
		return error_set(err, EBADMSG, "%.200s: it is not a file", path);
	return TAKE_FD(fd);
}

static int find_in_folder(struct bundle *bundle, const char *path, struct error *err)
{
	struct bundle_file *file;
	struct stat st;
	int fd = open_in_folder(bundle, path, &st, err);

	if (fd < 0)
		return fd;
	close(fd);
	file = new (struct bundle_file);
	file->path = alloc_string(path);
	file->size = (uint64_t)st.st_size;
	map_set(&bundle->files, path, file);
	return 0;
}

int bundle_find(struct bundle *bundle, const char *path, struct bundle_file **ret,
		struct error *err)
{
	_cleanup_free_ char *clean = alloc_string(path);
	const char *name = clean, *link;
	int r;

	if (extract_clean_path(clean) < 0)
		return error_set(err, EBADMSG, "%.200s: not a valid name", path);
	for (int i = 0; i < LINKS_MAX && (link = map_get(&bundle->links, name)); i++)
		name = link;
	*ret = map_get(&bundle->files, name);
	if (*ret)
		return 0;
	if (bundle->folder < 0)
		return error_set(err, ENOENT, "%.200s: it is missing in the archive", path);
	r = find_in_folder(bundle, name, err);
	*ret = map_get(&bundle->files, name);
	return r;
}

int bundle_read(struct bundle *bundle, const struct bundle_file *file, struct error *err)
{
	struct stat st;
	int fd;

	if (file->staged)
		fd = openat(bundle->staging->dir, file->staged, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	else if (file->path)
		return open_in_folder(bundle, file->path, &st, err);
	else if (bundle->archive >= 0)
		fd = fcntl(bundle->archive, F_DUPFD_CLOEXEC, 3);
	else
		return staging_open_blob(bundle->staging, file->hex, err);
	return fd < 0 ? error_errno(err, "read the archive") : fd;
}

/* All of a small file. */
static int read_whole(struct bundle *bundle, struct bundle_file *file, char **ret,
		      struct error *err)
{
	_cleanup_close_ int fd = bundle_read(bundle, file, err);
	_cleanup_free_ char *data = NULL;
	char hex[SHA256_HEX_SIZE];
	size_t done = 0;

	if (fd < 0)
		return fd;
	data = alloc(file->size + 1);
	while (done < file->size) {
		ssize_t n = pread(fd, data + done, file->size - done, (off_t)(file->offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? error_errno(err, "read it")
				     : error_set(err, EBADMSG, "it is cut off");
		done += (size_t)n;
	}
	sha256_of(data, file->size, hex);
	if (file->hex[0] && strcmp(file->hex, hex) != 0)
		return error_set(err, EBADMSG, "it changed while it was read");
	memcpy(file->hex, hex, sizeof(hex));
	*ret = TAKE_PTR(data);
	return 0;
}

int bundle_read_json(struct bundle *bundle, const char *path, json_t **ret, struct error *err)
{
	_cleanup_free_ char *data = NULL;
	struct bundle_file *file;
	int r;

	r = bundle_find(bundle, path, &file, err);
	if (r < 0)
		return r;
	if (file->size > IMAGE_JSON_MAX)
		return error_set(err, EFBIG, "%.200s: larger than %d MiB", path,
				 IMAGE_JSON_MAX >> 20);
	r = read_whole(bundle, file, &data, err);
	if (r == 0)
		r = json_parse(data, (size_t)file->size, ret, err);
	return r < 0 ? error_wrap(err, "%.200s", path) : 0;
}

int bundle_keep(struct bundle *bundle, struct bundle_file *file, struct error *err)
{
	_cleanup_free_ char *data = NULL, *name = NULL;
	_cleanup_close_ int fd = -EBADF;
	int r;

	if (staging_has_blob(bundle->staging, file->hex))
		return 0;
	if (file->staged) {
		staging_add_blob(bundle->staging, file->hex, TAKE_PTR(file->staged));
		return 0;
	}
	r = read_whole(bundle, file, &data, err);
	if (r < 0)
		return r;
	fd = staging_file(bundle->staging, &name, err);
	if (fd < 0)
		return fd;
	r = fd_write_all(fd, data, (size_t)file->size);
	if (r < 0)
		return error_code(err, r, "store sha256:%s", file->hex);
	staging_add_blob(bundle->staging, file->hex, TAKE_PTR(name));
	return 0;
}
