// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/control/message.h"

#include <endian.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#define HEADER_SIZE sizeof(uint32_t)
/* A length is only a claim: memory follows what really arrives. */
#define READ_STEP ((size_t)64 << 10)

struct frame {
	struct frame *next;
	char *data;
	size_t size, written;
	int fds[FD_PASS_MAX];
	size_t fd_count;
};

struct message_stream {
	int fd;
	struct frame *first, **last;
	size_t queued;
	/* the frame being read */
	unsigned char header[HEADER_SIZE];
	size_t header_read;
	struct strbuf body;
	size_t body_size;
	int fds[FD_PASS_MAX];
	size_t fd_count;
	bool broken;
};

static void close_fds(int *fds, size_t *count)
{
	for (size_t i = 0; i < *count; i++)
		close(fds[i]);
	*count = 0;
}

static void frame_free(struct frame *frame)
{
	if (!frame)
		return;
	close_fds(frame->fds, &frame->fd_count);
	free(frame->data);
	free(frame);
}
DEFINE_CLEANUP(struct frame *, frame_free);

struct message_stream *message_stream_new(int fd)
{
	struct message_stream *stream = new_array(struct message_stream, 1);

	stream->fd = fd;
	stream->last = &stream->first;
	return stream;
}

void message_stream_free(struct message_stream *stream)
{
	if (!stream)
		return;
	while (stream->first) {
		struct frame *frame = stream->first;

		stream->first = frame->next;
		frame_free(frame);
	}
	close_fds(stream->fds, &stream->fd_count);
	strbuf_done(&stream->body);
	close(stream->fd);
	free(stream);
}

int message_stream_fd(const struct message_stream *stream)
{
	return stream->fd;
}

int message_stream_peer(const struct message_stream *stream, pid_t *ret_pid, uid_t *ret_uid)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(stream->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	*ret_pid = peer.pid;
	*ret_uid = peer.uid;
	return 0;
}

size_t message_queued(const struct message_stream *stream)
{
	return stream->queued;
}

static int frame_new(const json_t *json, struct frame **ret, struct error *err)
{
	struct frame *frame = new_array(struct frame, 1);
	_cleanup_free_ char *text = json_text(json);
	size_t size = text ? strlen(text) : 0;
	uint32_t length = htole32((uint32_t)size);

	if (!text || size > MESSAGE_MAX) {
		free(frame);
		return error_set(err, EMSGSIZE, "message: larger than %d MiB", MESSAGE_MAX >> 20);
	}
	frame->size = HEADER_SIZE + size;
	frame->data = alloc(frame->size);
	memcpy(frame->data, &length, HEADER_SIZE);
	memcpy(frame->data + HEADER_SIZE, text, size);
	*ret = frame;
	return 0;
}

/* 0: written whole, 1: the socket is full. */
static int frame_write(struct message_stream *stream, struct frame *frame, const int *fds,
		       size_t fd_count, struct error *err)
{
	while (frame->written < frame->size) {
		/* Descriptors travel with the frame's first byte and only once. */
		size_t count = frame->written ? 0 : fd_count;
		ssize_t n = fd_send(stream->fd, frame->data + frame->written,
				    frame->size - frame->written, fds, count);

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			return 1;
		if (n < 0) {
			stream->broken = true;
			if (n == -ECONNRESET || n == -ENOTCONN)
				n = -EPIPE;
			return error_code(err, (int)n, "send a message");
		}
		frame->written += (size_t)n;
	}
	return 0;
}

static int frame_keep_fds(struct frame *frame, const int *fds, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		int fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);

		if (fd < 0)
			return error_errno(err, "keep a descriptor to send");
		frame->fds[frame->fd_count++] = fd;
	}
	return 0;
}

int message_send(struct message_stream *stream, const json_t *json, const int *fds, size_t fd_count,
		 struct error *err)
{
	_cleanup_(cleanup_frame_free) struct frame *frame = NULL;
	int r;

	if (stream->broken)
		return error_set(err, EPIPE, "send a message: the connection is gone");
	if (fd_count > FD_PASS_MAX)
		return error_set(err, EMSGSIZE, "message: more than %d descriptors", FD_PASS_MAX);
	r = frame_new(json, &frame, err);
	if (r < 0)
		return r;
	if (!stream->first) {
		r = frame_write(stream, frame, fds, fd_count, err);
		if (r <= 0)
			return r;
	}
	if (frame->written == 0) {
		r = frame_keep_fds(frame, fds, fd_count, err);
		if (r < 0)
			return r;
	}
	stream->queued += frame->size - frame->written;
	*stream->last = frame;
	stream->last = &frame->next;
	frame = NULL;
	return 0;
}

int message_flush(struct message_stream *stream, struct error *err)
{
	while (stream->first) {
		struct frame *frame = stream->first;
		size_t before = frame->written;
		int r = frame_write(stream, frame, frame->fds, frame->fd_count, err);

		stream->queued -= frame->written - before;
		if (r != 0)
			return r;
		stream->first = frame->next;
		if (!stream->first)
			stream->last = &stream->first;
		frame_free(frame);
	}
	return 0;
}

static int broken(struct message_stream *stream, int code, const char *what, struct error *err)
{
	stream->broken = true;
	close_fds(stream->fds, &stream->fd_count);
	return error_set(err, code, "%s", what);
}

/*
 * Reads at most @size bytes of the current frame and never beyond it: the kernel may hand over the
 * end of one frame and the descriptors of the next in one go, and then nobody could tell whose
 * they are. Returns bytes, 0 when there is nothing now.
 */
static ssize_t read_some(struct message_stream *stream, void *data, size_t size, struct error *err)
{
	int fds[FD_PASS_MAX];
	size_t count = FD_PASS_MAX;
	ssize_t n;

	do {
		n = fd_receive(stream->fd, data, size, fds, &count);
	} while (n == -EINTR);
	if (n == -EAGAIN)
		return 0;
	if (n == -ECONNRESET)
		return broken(stream, EPIPE, "the other end closed the connection", err);
	if (n < 0) {
		stream->broken = true;
		return error_code(err, (int)n, "receive a message");
	}
	if (stream->fd_count + count > FD_PASS_MAX) {
		close_fds(fds, &count);
		return broken(stream, EPROTO, "message: too many descriptors", err);
	}
	memcpy(stream->fds + stream->fd_count, fds, count * sizeof(int));
	stream->fd_count += count;
	if (n == 0)
		return broken(stream, EPIPE,
			      stream->header_read
				      ? "the connection ended in the middle of a message"
				      : "the other end closed the connection",
			      err);
	return n;
}

/* 1: the header is whole and its length is sane. */
static int read_header(struct message_stream *stream, struct error *err)
{
	uint32_t length;

	while (stream->header_read < HEADER_SIZE) {
		ssize_t n = read_some(stream, stream->header + stream->header_read,
				      HEADER_SIZE - stream->header_read, err);

		if (n <= 0)
			return (int)n;
		stream->header_read += (size_t)n;
		if (stream->header_read < HEADER_SIZE)
			continue;
		memcpy(&length, stream->header, HEADER_SIZE);
		stream->body_size = le32toh(length);
		if (stream->body_size == 0 || stream->body_size > MESSAGE_MAX)
			return broken(stream, EPROTO, "message: its length makes no sense", err);
	}
	return 1;
}

/* 1: the body is whole. */
static int read_body(struct message_stream *stream, struct error *err)
{
	while (stream->body.length < stream->body_size) {
		size_t step = stream->body_size - stream->body.length;
		ssize_t n;

		if (step > READ_STEP)
			step = READ_STEP;
		strbuf_reserve(&stream->body, step);
		n = read_some(stream, stream->body.data + stream->body.length, step, err);
		if (n <= 0)
			return (int)n;
		stream->body.length += (size_t)n;
	}
	return 1;
}

int message_receive(struct message_stream *stream, json_t **ret, int fds[FD_PASS_MAX],
		    size_t *ret_fd_count, struct error *err)
{
	_cleanup_json_ json_t *json = NULL;
	int r;

	*ret_fd_count = 0;
	if (stream->broken)
		return error_set(err, EPIPE, "the connection is gone");
	r = read_header(stream, err);
	if (r <= 0)
		return r;
	r = read_body(stream, err);
	if (r <= 0)
		return r;
	if (json_parse(stream->body.data, stream->body.length, &json, err) < 0 ||
	    !json_is_object(json))
		return broken(stream, EPROTO, "message: not a JSON object", err);

	/* What was large once need not stay: a supervisor keeps its connections for long. */
	if (stream->body.capacity > READ_STEP)
		strbuf_done(&stream->body);
	stream->body.length = 0;
	stream->header_read = 0;
	memcpy(fds, stream->fds, stream->fd_count * sizeof(int));
	*ret_fd_count = stream->fd_count;
	stream->fd_count = 0;
	*ret = TAKE_PTR(json);
	return 1;
}
