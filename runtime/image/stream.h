/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_STREAM_H
#define RUNTIME_IMAGE_STREAM_H

/*
 * stream.h - an archive's bytes on their way from a file to whoever reads entries: read and hashed
 * (fd_source), decompressed (plain_source), by a thread of their own (ahead_source).
 *
 * What a source gives stays valid during the next STREAM_BUFFERS - 1 reads, so that a thread can
 * be that far ahead without copying.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"
#include "common/sha256.h"

#define STREAM_BUFFERS 8
#define STREAM_SIZE    (128 << 10) /* small enough that what one thread wrote is in the cache */

/* Where bytes come from. Bytes, 0 at the end, or -errno with @err. */
struct byte_source {
	ssize_t (*read)(struct byte_source *source, const void **ret_data, struct error *err);
};

/* Buffers used in turn. */
struct stream_buffers {
	char *memory;
	unsigned int next;
};

struct fd_source {
	struct byte_source base;
	struct stream_buffers buffers;
	int fd;
	bool part; /* only @left bytes from @at on, wherever the descriptor stands */
	uint64_t at, left;
	/* What is read is hashed and written to copy_fd (-1: only hashed). */
	bool digest;
	int copy_fd;
	struct sha256 sha;
	uint64_t bytes;    /* read so far */
	uint64_t flushing; /* of the copy, on its way to the disk */
};

void fd_source_init(struct fd_source *source, int fd);
void fd_source_part(struct fd_source *source, uint64_t offset, uint64_t size);
void fd_source_digest(struct fd_source *source, int copy_fd);
/* Reads what is left; the digest of all. */
int fd_source_finish(struct fd_source *source, char ret_hex[SHA256_HEX_SIZE], struct error *err);
void fd_source_done(struct fd_source *source);

/*
 * Decompressed when it is compressed: gzip by ISA-L where that is installed, which is three times
 * as fast, and else, as zstd, bzip2, xz and lzma, by libarchive.
 */
struct plain_source {
	struct byte_source base;
	struct byte_source *packed;
	struct stream_buffers buffers;
	const void *pending; /* read, not decompressed yet */
	size_t pending_size;
	bool as_is;           /* it is not compressed */
	void *gzip;           /* ISA-L's state */
	struct archive *raw;  /* or libarchive */
	struct error failure; /* of its callback */
};

/* -EBADMSG: it is empty. plain_source_close() is due also after a failure. */
int plain_source_open(struct plain_source *plain, struct byte_source *packed, struct error *err);
void plain_source_close(struct plain_source *plain);
/* Before the process loses sight of the libraries. */
void plain_source_prepare(void);

/* A thread that reads @source ahead of whoever reads this one. */
struct ahead_source {
	struct byte_source base;
	struct ahead *ahead;
};

int ahead_source_start(struct byte_source *source, struct ahead_source **ret, struct error *err);
/* Ends the thread, whatever is still to be read. NULL is fine. */
void ahead_source_end(struct ahead_source *source);

/* The next of the buffers, STREAM_SIZE bytes; made when the first is asked for. */
void *stream_buffer(struct stream_buffers *buffers);

#endif
