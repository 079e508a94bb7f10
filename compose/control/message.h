/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CONTROL_MESSAGE_H
#define COMPOSE_CONTROL_MESSAGE_H

/*
 * message.h - JSON objects with descriptors over a unix stream socket.
 *
 * A frame is a 32-bit little-endian length and so many bytes of JSON; descriptors ride on the
 * frame's first byte. A frame is at most MESSAGE_MAX; what is malformed or larger ends the
 * connection with an error that says so. Both blocking (client) and non-blocking (supervisor) use.
 */

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/error.h"
#include "common/fd.h"

#define MESSAGE_MAX (64 << 20)

/* One direction-agnostic end of a connection; queues what the socket does not take at once. */
struct message_stream;

/* Takes @fd. */
struct message_stream *message_stream_new(int fd);
void message_stream_free(struct message_stream *stream);
int message_stream_fd(const struct message_stream *stream);
/* Who is at the other end (SO_PEERCRED). */
int message_stream_peer(const struct message_stream *stream, pid_t *ret_pid, uid_t *ret_uid);

/* Queues and tries to write; borrows @json; descriptors are duplicated. -EPIPE: the other is gone.
 */
int message_send(struct message_stream *stream, const json_t *json, const int *fds, size_t fd_count,
		 struct error *err);
/* Writes more of the queue. 0: all written, 1: some left (watch POLLOUT). */
int message_flush(struct message_stream *stream, struct error *err);
/* Bytes queued and not yet written: a slow subscriber is cut off beyond a bound. */
size_t message_queued(const struct message_stream *stream);

/*
 * Reads what is there. 1: a whole message in *ret (new reference) with its descriptors (caller's;
 * count in *ret_fd_count); 0: none yet (non-blocking socket only; a blocking one waits);
 * -EPIPE: the end.
 */
int message_receive(struct message_stream *stream, json_t **ret, int fds[FD_PASS_MAX],
		    size_t *ret_fd_count, struct error *err);

#endif
