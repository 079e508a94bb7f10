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

#define ENTRIES_MAX 100000
#define LINKS_MAX   8
#define COPY_SIZE   (1 << 20)

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

static int spool_link(json_t *list, const char *path, const char *target, bool hard)
{
	_cleanup_free_ char *resolved = hard ? alloc_string(target) : resolve_link(path, target);

	if (resolved && extract_clean_path(resolved) == 0)
		json_array_append_new(list,
				      json_pack("{s:s, s:s}", "path", path, "link", resolved));
	return 0;
}

static int spool_entry(struct spooling *job, struct tar_reader *reader, struct archive_entry *entry,
		       json_t *list, struct error *err)
{
	const char *raw = reader->lib->archive_entry_pathname(entry);
	const char *hard = reader->lib->archive_entry_hardlink(entry);
	_cleanup_free_ char *path = alloc_string(raw), *staged = NULL;
	char hex[SHA256_HEX_SIZE];
	uint64_t size = 0;
	int r;

	if (++job->entries > ENTRIES_MAX)
		return error_set(err, EFBIG, "the archive has more than %d entries", ENTRIES_MAX);
	if (!path || !str_is_utf8(path, strlen(path)) || extract_clean_path(path) < 0)
		return error_set(err, EBADMSG, "entry '%.200s': not a valid name", raw ? raw : "");
	if (hard)
		return spool_link(list, path, hard, true);
	if (reader->lib->archive_entry_filetype(entry) == AE_IFLNK)
		return spool_link(list, path, reader->lib->archive_entry_symlink(entry), false);
	if (reader->lib->archive_entry_filetype(entry) != AE_IFREG)
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
	file->size = (uint64_t)json_get_int(row, "size", 0);
	snprintf(file->hex, sizeof(file->hex), "%s", hex ? hex : "");
	file = map_set(&bundle->files, path, file);
	if (file)
		free(file->staged);
	free(file);
}

static int open_tar(struct bundle *bundle, int fd, struct error *err)
{
	struct spooling job = {.fd = fd, .dir = bundle->staging->dir};
	const struct confined confined = {
		.dir = job.dir, .keep = &fd, .keep_count = 1, .run = spool, .data = &job};
	_cleanup_strbuf_ struct strbuf output = {0};
	_cleanup_json_ json_t *list = NULL;
	json_t *row;
	size_t i;
	int r;

	extract_limits_of(job.dir, &job.limits);
	r = confined_run(&confined, &output, err);
	if (r == 0)
		r = json_parse(output.data, output.length, &list, err);
	if (r < 0)
		return r;
	json_array_foreach(list, i, row)
		add_row(bundle, row);
	return 0;
}

int bundle_open(struct bundle *bundle, struct staging *staging, int fd, struct error *err)
{
	struct stat st;

	*bundle = (struct bundle){.staging = staging, .folder = -EBADF};
	if (fstat(fd, &st) < 0)
		return error_errno(err, "the archive");
	if (!S_ISDIR(st.st_mode))
		return open_tar(bundle, fd, err);
	bundle->folder = fd_dup(fd);
	return bundle->folder < 0 ? error_code(err, bundle->folder, "the archive") : 0;
}

static void free_file(void *data)
{
	struct bundle_file *file = data;

	if (file)
		free(file->staged);
	free(file);
}

void bundle_done(struct bundle *bundle)
{
	cleanup_close_fd(&bundle->folder);
	map_done(&bundle->files, free_file);
	map_done(&bundle->links, free);
}

static int copy_hashed(int from, int to, struct bundle_file *file, struct error *err)
{
	_cleanup_free_ char *buffer = alloc(COPY_SIZE);
	struct sha256 sha;
	ssize_t n;
	int r;

	sha256_init(&sha);
	while ((n = fd_read_full(from, buffer, COPY_SIZE)) > 0) {
		sha256_update(&sha, buffer, (size_t)n);
		file->size += (uint64_t)n;
		r = fd_write_all(to, buffer, (size_t)n);
		if (r < 0)
			return error_code(err, r, "store it");
	}
	if (n < 0)
		return error_code(err, (int)n, "read it");
	sha256_hex(&sha, file->hex);
	return 0;
}

/* Of a directory, a file is copied when it is asked for. */
static int stage_file(struct bundle *bundle, const char *path, struct error *err)
{
	_cleanup_close_ int from = -EBADF, to = -EBADF;
	struct bundle_file *file;
	struct stat st;
	int r;

	from = rootpath_open_raw(bundle->folder, path, O_RDONLY | O_NONBLOCK, 0);
	if (from < 0)
		return error_code(err, from, "%.200s", path);
	if (fstat(from, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(err, EBADMSG, "%.200s: it is not a file", path);
	file = new (struct bundle_file);
	to = staging_file(bundle->staging, &file->staged, err);
	r = to < 0 ? to : copy_hashed(from, to, file, err);
	if (r < 0) {
		free_file(file);
		return error_wrap(err, "%.200s", path);
	}
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
	r = stage_file(bundle, name, err);
	*ret = map_get(&bundle->files, name);
	return r;
}

int bundle_read(struct bundle *bundle, const struct bundle_file *file, struct error *err)
{
	int fd;

	if (!file->staged)
		return staging_open_blob(bundle->staging, file->hex, err);
	fd = openat(bundle->staging->dir, file->staged, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? error_errno(err, "read the archive") : fd;
}

int bundle_read_json(struct bundle *bundle, const char *path, json_t **ret, struct error *err)
{
	_cleanup_close_ int fd = -EBADF;
	_cleanup_free_ char *data = NULL;
	struct bundle_file *file;
	ssize_t n;
	int r;

	r = bundle_find(bundle, path, &file, err);
	if (r < 0)
		return r;
	if (file->size > IMAGE_JSON_MAX)
		return error_set(err, EFBIG, "%.200s: larger than %d MiB", path,
				 IMAGE_JSON_MAX >> 20);
	fd = bundle_read(bundle, file, err);
	if (fd < 0)
		return fd;
	data = alloc(file->size + 1);
	n = fd_read_full(fd, data, file->size);
	if (n < 0)
		return error_code(err, (int)n, "%.200s", path);
	r = json_parse(data, (size_t)n, ret, err);
	return r < 0 ? error_wrap(err, "%.200s", path) : 0;
}

void bundle_keep(struct bundle *bundle, struct bundle_file *file)
{
	if (file->staged && !staging_has_blob(bundle->staging, file->hex))
		staging_add_blob(bundle->staging, file->hex, TAKE_PTR(file->staged));
}
