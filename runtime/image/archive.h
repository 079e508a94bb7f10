/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_ARCHIVE_H
#define RUNTIME_IMAGE_ARCHIVE_H

/*
 * archive.h - libarchive, opened when the first archive is met: whoever only runs containers
 * does not carry its memory.
 */

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/sha256.h"

#include "runtime/image/stream.h"

#define LIBARCHIVE_SYMBOLS(X)                      \
	X(archive_read_new)                        \
	X(archive_read_free)                       \
	X(archive_filter_bytes)                    \
	X(archive_read_open)                       \
	X(archive_read_open2)                      \
	X(archive_read_support_filter_gzip)        \
	X(archive_read_support_filter_bzip2)       \
	X(archive_read_support_filter_xz)          \
	X(archive_read_support_filter_lzma)        \
	X(archive_read_support_filter_zstd)        \
	X(archive_read_support_format_raw)         \
	X(archive_read_support_format_empty)       \
	X(archive_read_support_format_tar)         \
	X(archive_read_next_header)                \
	X(archive_read_data)                       \
	X(archive_read_data_block)                 \
	X(archive_read_data_skip)                  \
	X(archive_error_string)                    \
	X(archive_errno)                           \
	X(archive_set_error)                       \
	X(archive_entry_new)                       \
	X(archive_entry_free)                      \
	X(archive_entry_clear)                     \
	X(archive_entry_pathname)                  \
	X(archive_entry_hardlink)                  \
	X(archive_entry_symlink)                   \
	X(archive_entry_filetype)                  \
	X(archive_entry_perm)                      \
	X(archive_entry_uid)                       \
	X(archive_entry_gid)                       \
	X(archive_entry_size)                      \
	X(archive_entry_size_is_set)               \
	X(archive_entry_mtime)                     \
	X(archive_entry_mtime_nsec)                \
	X(archive_entry_rdevmajor)                 \
	X(archive_entry_rdevminor)                 \
	X(archive_entry_xattr_reset)               \
	X(archive_entry_xattr_next)                \
	X(archive_entry_xattr_add_entry)           \
	X(archive_entry_sparse_add_entry)          \
	X(archive_entry_copy_stat)                 \
	X(archive_entry_set_pathname)              \
	X(archive_entry_set_hardlink)              \
	X(archive_entry_set_symlink)               \
	X(archive_entry_set_size)                  \
	X(archive_entry_set_filetype)              \
	X(archive_entry_set_perm)                  \
	X(archive_entry_set_mtime)                 \
	X(archive_write_new)                       \
	X(archive_write_free)                      \
	X(archive_write_close)                     \
	X(archive_write_set_format_pax_restricted) \
	X(archive_write_set_bytes_per_block)       \
	X(archive_write_set_bytes_in_last_block)   \
	X(archive_write_set_format_raw)            \
	X(archive_write_add_filter_gzip)           \
	X(archive_write_set_filter_option)         \
	X(archive_write_open)                      \
	X(archive_write_header)                    \
	X(archive_write_data)

struct libarchive {
#define LIBARCHIVE_FIELD(name) __typeof__(name) *name;
	LIBARCHIVE_SYMBOLS(LIBARCHIVE_FIELD)
#undef LIBARCHIVE_FIELD
};

/* All its functions; NULL with @err when the library is not installed. */
const struct libarchive *libarchive_load(struct error *err);

/*
 * A tar of any usual compression, read entry by entry. The stream as it is after decompression is
 * counted, hashed unless that is turned off, and written to @copy_fd unless that is negative.
 */
struct tar_reader {
	const struct libarchive *lib;
	struct plain_source plain;
	struct ahead_source *ahead; /* NULL: read when it is asked for */
	struct archive *tar;
	int copy_fd;
	bool no_digest; /* nobody asks for it */
	struct sha256 sha;
	uint64_t bytes;       /* uncompressed, so far */
	uint64_t limit;       /* of these; more is -ENOSPC */
	struct error failure; /* of a callback, whose words libarchive cannot carry */
};

int tar_reader_open(struct tar_reader *reader, struct byte_source *source, int copy_fd,
		    struct error *err);
/* From here on a thread reads and decompresses, ahead of whoever takes the entries. */
int tar_reader_read_ahead(struct tar_reader *reader, struct error *err);
/* 1: an entry, 0: the end. */
int tar_reader_next(struct tar_reader *reader, struct archive_entry **ret, struct error *err);
/* 1: a block, 0: the end of this entry. */
int tar_reader_block(struct tar_reader *reader, const void **ret_data, size_t *ret_size,
		     int64_t *ret_offset, struct error *err);
/* Reads what follows the last entry (or all, when none was asked for), so that the digest is of
 * all.
 */
int tar_reader_finish(struct tar_reader *reader, char ret_hex[SHA256_HEX_SIZE], struct error *err);
void tar_reader_close(struct tar_reader *reader);

/* A tar written to @fd. */
struct tar_writer {
	const struct libarchive *lib;
	struct archive *archive;
	struct archive_entry *entry;
	int fd;             /* -1: nowhere */
	struct sha256 *sha; /* of all that is written; NULL: nobody asks */
	uint64_t bytes;
};

int tar_writer_open(struct tar_writer *writer, int fd, struct error *err);
int tar_writer_file(struct tar_writer *writer, const char *name, const void *data, size_t size,
		    struct error *err);
int tar_writer_folder(struct tar_writer *writer, const char *name, struct error *err);
/* A file of what @source_fd holds, @size bytes. */
int tar_writer_copy(struct tar_writer *writer, const char *name, int source_fd, uint64_t size,
		    struct error *err);
int tar_writer_fail(struct tar_writer *writer, struct error *err);
int tar_writer_close(struct tar_writer *writer, struct error *err);
void tar_writer_done(struct tar_writer *writer);

#endif
