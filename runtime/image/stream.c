// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"

#define FLUSH_SIZE (8 << 20)

void *stream_buffer(struct stream_buffers *buffers)
{
	if (!buffers->memory)
		buffers->memory = alloc((size_t)STREAM_BUFFERS * STREAM_SIZE);
	buffers->next = (buffers->next + 1) % STREAM_BUFFERS;
	return buffers->memory + (size_t)buffers->next * STREAM_SIZE;
}

/* The disk starts on it now, rather than when all is waited for. */
static void flush(struct fd_source *source)
{
	if (source->bytes - source->flushing < FLUSH_SIZE)
		return;
	(void)sync_file_range(source->copy_fd, (off_t)source->flushing,
			      (off_t)(source->bytes - source->flushing), SYNC_FILE_RANGE_WRITE);
	source->flushing = source->bytes;
}

static int pass_on(struct fd_source *source, const void *data, size_t size, struct error *err)
{
	int r;

	source->bytes += size;
	if (!source->digest)
		return 0;
	sha256_update(&source->sha, data, size);
	if (source->copy_fd < 0)
		return 0;
	r = fd_write_all(source->copy_fd, data, size);
	if (r < 0)
		return error_code(err, r, "store the archive");
	flush(source);
	return 0;
}

static ssize_t fd_source_read(struct byte_source *base, const void **ret_data, struct error *err)
{
	struct fd_source *source = (struct fd_source *)base;
	size_t want = STREAM_SIZE;
	void *buffer;
	ssize_t n;

	if (source->part && source->left < want)
		want = (size_t)source->left;
	if (want == 0)
		return 0;
	*ret_data = buffer = stream_buffer(&source->buffers);
	do
		n = source->part ? pread(source->fd, buffer, want, (off_t)source->at)
				 : read(source->fd, buffer, want);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_errno(err, "read the archive");
	if (n == 0 && source->part)
		return error_set(err, EBADMSG, "the archive ends before its time");
	source->at += (uint64_t)n;
	source->left -= source->part ? (uint64_t)n : 0;
	return pass_on(source, buffer, (size_t)n, err) < 0 ? -err->code : n;
}

void fd_source_init(struct fd_source *source, int fd)
{
	*source = (struct fd_source){.base.read = fd_source_read, .fd = fd, .copy_fd = -EBADF};
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
}

void fd_source_part(struct fd_source *source, uint64_t offset, uint64_t size)
{
	source->part = true;
	source->at = offset;
	source->left = size;
}

void fd_source_digest(struct fd_source *source, int copy_fd)
{
	source->digest = true;
	source->copy_fd = copy_fd;
	sha256_init(&source->sha);
}

int fd_source_finish(struct fd_source *source, char ret_hex[SHA256_HEX_SIZE], struct error *err)
{
	const void *data;
	ssize_t n;

	while ((n = source->base.read(&source->base, &data, err)) > 0)
		;
	if (n < 0)
		return (int)n;
	if (source->digest)
		sha256_hex(&source->sha, ret_hex);
	return 0;
}

void fd_source_done(struct fd_source *source)
{
	free(source->buffers.memory);
	source->buffers.memory = NULL;
}
