// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/dl.h"
#include "common/fd.h"

#define READ_SIZE (1 << 20)

const struct libarchive *libarchive_load(struct error *err)
{
	static struct libarchive library;
	static void *handle;
	static const struct dl_symbol symbols[] = {
#define LIBARCHIVE_ROW(name) {#name, &library.name},
		LIBARCHIVE_SYMBOLS(LIBARCHIVE_ROW)
#undef LIBARCHIVE_ROW
	};

	if (dl_load("libarchive.so.13", &handle, symbols, ARRAY_SIZE(symbols), err) < 0)
		return NULL;
	return &library;
}

/* The words of whichever failed: a callback of ours, or the library. */
static int reader_failed(struct tar_reader *reader, struct error *err)
{
	const char *words;

	if (reader->failure.code) {
		*err = reader->failure;
		return -err->code;
	}
	words = reader->lib->archive_error_string(reader->tar);
	return error_set(err, EBADMSG, "not a valid archive: %s", words ? words : "unknown reason");
}

static int take_plain(struct tar_reader *reader, const void *data, size_t size)
{
	int r;

	reader->bytes += size;
	if (reader->bytes > reader->limit)
		return error_set(&reader->failure, ENOSPC,
				 "No space left on device: it is larger than the %llu MB that are "
				 "free",
				 (unsigned long long)(reader->limit >> 20));
	if (!reader->no_digest)
		sha256_update(&reader->sha, data, size);
	if (reader->copy_fd < 0)
		return 0;
	r = fd_write_all(reader->copy_fd, data, size);
	return r < 0 ? error_code(&reader->failure, r, "store the archive") : 0;
}

/* The decompressed stream, looked at in passing. */
static ssize_t next_plain(struct tar_reader *reader, const void **ret_data)
{
	struct byte_source *source = reader->ahead ? &reader->ahead->base : &reader->plain.base;
	ssize_t n = source->read(source, ret_data, &reader->failure);

	return n > 0 && take_plain(reader, *ret_data, (size_t)n) < 0 ? -1 : n;
}

static la_ssize_t read_plain(struct archive *tar, void *data, const void **ret_data)
{
	struct tar_reader *reader = data;
	ssize_t n = next_plain(reader, ret_data);

	if (n >= 0)
		return n;
	reader->lib->archive_set_error(tar, EIO, "%s", reader->failure.message);
	return ARCHIVE_FATAL;
}

int tar_reader_open(struct tar_reader *reader, struct byte_source *source, int copy_fd,
		    struct error *err)
{
	const struct libarchive *lib = libarchive_load(err);
	int r;

	if (!lib)
		return -err->code;
	*reader = (struct tar_reader){.lib = lib, .copy_fd = copy_fd, .limit = UINT64_MAX};
	sha256_init(&reader->sha);
	r = plain_source_open(&reader->plain, source, err);
	if (r < 0)
		tar_reader_close(reader);
	return r;
}

int tar_reader_read_ahead(struct tar_reader *reader, struct error *err)
{
	return ahead_source_start(&reader->plain.base, &reader->ahead, err);
}

/* When the first entry is asked for: by then it is known whether a thread reads ahead. */
static int open_tar(struct tar_reader *reader, struct error *err)
{
	const struct libarchive *lib = reader->lib;

	reader->tar = lib->archive_read_new();
	lib->archive_read_support_format_tar(reader->tar);
	if (lib->archive_read_open(reader->tar, reader, NULL, read_plain, NULL) != ARCHIVE_OK)
		return reader_failed(reader, err);
	return 0;
}

int tar_reader_next(struct tar_reader *reader, struct archive_entry **ret, struct error *err)
{
	int r = reader->tar ? 0 : open_tar(reader, err);

	if (r < 0)
		return r;
	r = reader->lib->archive_read_next_header(reader->tar, ret);
	if (r == ARCHIVE_EOF)
		return 0;
	/* A warning is about a detail such as a name's encoding; the entry is there. */
	if (r == ARCHIVE_OK || r == ARCHIVE_WARN)
		return 1;
	return reader_failed(reader, err);
}

int tar_reader_block(struct tar_reader *reader, const void **ret_data, size_t *ret_size,
		     int64_t *ret_offset, struct error *err)
{
	la_int64_t offset;
	int r = reader->lib->archive_read_data_block(reader->tar, ret_data, ret_size, &offset);

	*ret_offset = offset;
	if (r == ARCHIVE_EOF)
		return 0;
	return r == ARCHIVE_OK || r == ARCHIVE_WARN ? 1 : reader_failed(reader, err);
}

int tar_reader_finish(struct tar_reader *reader, char ret_hex[SHA256_HEX_SIZE], struct error *err)
{
	const void *data;
	ssize_t n;

	while ((n = next_plain(reader, &data)) > 0)
		;
	if (n < 0)
		return reader_failed(reader, err);
	sha256_hex(&reader->sha, ret_hex);
	return 0;
}

void tar_reader_close(struct tar_reader *reader)
{
	if (!reader->lib)
		return;
	ahead_source_end(reader->ahead);
	reader->ahead = NULL;
	if (reader->tar)
		reader->lib->archive_read_free(reader->tar);
	reader->tar = NULL;
	plain_source_close(&reader->plain);
}

static la_ssize_t write_out(struct archive *archive, void *data, const void *bytes, size_t size)
{
	struct tar_writer *writer = data;
	int r = writer->fd < 0 ? 0 : fd_write_all(writer->fd, bytes, size);

	if (writer->sha)
		sha256_update(writer->sha, bytes, size);
	writer->bytes += size;
	if (r == 0)
		return (la_ssize_t)size;
	writer->lib->archive_set_error(archive, -r, "%s", strerror(-r));
	return -1;
}

int tar_writer_open(struct tar_writer *writer, int fd, struct error *err)
{
	const struct libarchive *lib = libarchive_load(err);

	if (!lib)
		return -err->code;
	*writer = (struct tar_writer){.lib = lib, .fd = fd};
	writer->archive = lib->archive_write_new();
	writer->entry = lib->archive_entry_new();
	lib->archive_write_set_format_pax_restricted(writer->archive);
	lib->archive_write_set_bytes_per_block(writer->archive, 256 * 1024);
	if (lib->archive_write_open(writer->archive, writer, NULL, write_out, NULL) == ARCHIVE_OK)
		return 0;
	tar_writer_done(writer);
	return error_set(err, EIO, "write the archive");
}

int tar_writer_fail(struct tar_writer *writer, struct error *err)
{
	const char *words = writer->lib->archive_error_string(writer->archive);
	int code = writer->lib->archive_errno(writer->archive);

	return error_set(err, code > 0 ? code : EIO, "write the archive: %s", words ? words : "");
}

static int write_header(struct tar_writer *writer, const char *name, mode_t type, mode_t mode,
			uint64_t size, struct error *err)
{
	const struct libarchive *lib = writer->lib;

	lib->archive_entry_clear(writer->entry);
	lib->archive_entry_set_pathname(writer->entry, name);
	lib->archive_entry_set_filetype(writer->entry, type);
	lib->archive_entry_set_perm(writer->entry, mode);
	lib->archive_entry_set_size(writer->entry, (la_int64_t)size);
	lib->archive_entry_set_mtime(writer->entry, 0, 0);
	if (lib->archive_write_header(writer->archive, writer->entry) < ARCHIVE_WARN)
		return tar_writer_fail(writer, err);
	return 0;
}

int tar_writer_folder(struct tar_writer *writer, const char *name, struct error *err)
{
	return write_header(writer, name, AE_IFDIR, 0755, 0, err);
}

int tar_writer_file(struct tar_writer *writer, const char *name, const void *data, size_t size,
		    struct error *err)
{
	int r = write_header(writer, name, AE_IFREG, 0644, size, err);

	if (r < 0)
		return r;
	if (writer->lib->archive_write_data(writer->archive, data, size) != (la_ssize_t)size)
		return tar_writer_fail(writer, err);
	return 0;
}

int tar_writer_copy(struct tar_writer *writer, const char *name, int source_fd, uint64_t size,
		    struct error *err)
{
	_cleanup_free_ void *buffer = alloc(READ_SIZE);
	uint64_t done = 0;
	int r = write_header(writer, name, AE_IFREG, 0644, size, err);

	while (r == 0 && done < size) {
		ssize_t n = pread(source_fd, buffer, READ_SIZE, (off_t)done);

		if (n <= 0)
			return n < 0 ? error_errno(err, "read %s", name)
				     : error_set(err, EIO, "%s: it is shorter than expected", name);
		if (writer->lib->archive_write_data(writer->archive, buffer, (size_t)n) != n)
			return tar_writer_fail(writer, err);
		done += (uint64_t)n;
	}
	return r;
}

int tar_writer_close(struct tar_writer *writer, struct error *err)
{
	if (writer->lib->archive_write_close(writer->archive) != ARCHIVE_OK)
		return tar_writer_fail(writer, err);
	return 0;
}

void tar_writer_done(struct tar_writer *writer)
{
	if (!writer->lib || !writer->archive)
		return;
	writer->lib->archive_entry_free(writer->entry);
	writer->lib->archive_write_free(writer->archive);
	writer->archive = NULL;
}
