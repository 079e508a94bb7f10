// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/logs/tee.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/alloc.h"
#include "common/event.h"
#include "common/fd.h"

struct log_tee {
	struct log_tee *next, **list;
	int fd;
	bool is_socket;
	unsigned int streams;
	struct strbuf pending;
	size_t sent; /* of what is pending */
	sd_event_source *source;
};

static void tee_free(struct log_tee *tee)
{
	for (struct log_tee **at = tee->list; *at; at = &(*at)->next)
		if (*at == tee) {
			*at = tee->next;
			break;
		}
	event_source_drop(&tee->source);
	close(tee->fd);
	strbuf_done(&tee->pending);
	free(tee);
}

void log_tee_move(struct log_tee **to, struct log_tee **from)
{
	while (*from) {
		struct log_tee *tee = *from;

		*from = tee->next;
		tee->next = *to;
		tee->list = to;
		*to = tee;
	}
}

/* Bytes taken, 0 when the client is slow, or -errno when it is gone. */
static ssize_t put(const struct log_tee *tee, const void *data, size_t size)
{
	ssize_t n = tee->is_socket ? send(tee->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT)
				   : write(tee->fd, data, size);

	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

static void tee_flush(struct log_tee *tee)
{
	ssize_t n = put(tee, tee->pending.data + tee->sent, tee->pending.length - tee->sent);

	if (n < 0) {
		tee_free(tee);
		return;
	}
	tee->sent += n;
	if (tee->sent < tee->pending.length)
		return;
	strbuf_done(&tee->pending);
	tee->pending = (struct strbuf){0};
	tee->sent = 0;
	(void)sd_event_source_set_io_events(tee->source, 0);
}

static int on_client(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct log_tee *tee = userdata;

	if (events & EPOLLOUT && tee->pending.length)
		tee_flush(tee);
	else if (events & (EPOLLERR | EPOLLHUP))
		tee_free(tee);
	return 0;
}

int log_tee_new(sd_event *event, struct log_tee **list, int fd, unsigned int streams,
		struct error *err)
{
	struct log_tee *tee = new (struct log_tee);
	struct stat st;
	int r;

	*tee = (struct log_tee){.next = *list, .list = list, .fd = fd, .streams = streams};
	*list = tee;
	tee->is_socket = !fstat(fd, &st) && S_ISSOCK(st.st_mode);
	r = fd_set_nonblock(fd, true);
	if (!r)
		r = sd_event_add_io(event, &tee->source, fd, 0, on_client, tee);
	if (r < 0) {
		tee_free(tee);
		return error_code(err, r, "attached client cannot be watched");
	}
	return 0;
}

static void tee_send(struct log_tee *tee, const char *data, size_t size)
{
	ssize_t n = 0;

	if (!tee->pending.length) {
		n = put(tee, data, size);
		if (n >= 0 && (size_t)n == size)
			return;
	}
	if (n < 0 || tee->pending.length - tee->sent + size - n > TEE_PENDING_MAX) {
		tee_free(tee);
		return;
	}
	/* What was sent makes room first, or a steady trickle would let it grow for ever. */
	if (tee->sent) {
		memmove(tee->pending.data, tee->pending.data + tee->sent,
			tee->pending.length - tee->sent);
		tee->pending.length -= tee->sent;
		tee->sent = 0;
	}
	strbuf_add_n(&tee->pending, data + n, size - n);
	(void)sd_event_source_set_io_events(tee->source, EPOLLOUT);
}

void log_tee_send(struct log_tee **list, enum log_stream stream, const void *data, size_t size)
{
	for (struct log_tee *tee = *list, *next; tee; tee = next) {
		next = tee->next;
		if (tee->streams & 1u << stream)
			tee_send(tee, data, size);
	}
}

void log_tee_free_all(struct log_tee **list)
{
	while (*list)
		tee_free(*list);
}
