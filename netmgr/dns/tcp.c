// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/dns/tcp.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/alloc.h"
#include "common/event.h"
#include "common/fd.h"
#include "common/str.h"
#include "common/units.h"

#include "netmgr/dns/message.h"

#define BACKLOG           64
#define CONNECTIONS_MAX   16
#define QUERY_MAX         4096
#define QUERIES_MAX       32 /* under way on one connection; then it is not read */
#define UNSENT_MAX        (256 * 1024)
#define IDLE_USEC         (10 * USEC_PER_SEC)
#define ACCEPT_PAUSE_USEC (1 * USEC_PER_SEC)

struct dns_connection {
	struct dns_tcp *tcp;
	struct dns_connection *next;
	int fd;
	sd_event_source *source;
	uint8_t in[2 + QUERY_MAX];
	size_t received;
	struct strbuf out;
	size_t sent;
	unsigned int queries; /* under way */
	uint64_t idle_since_usec;
	bool busy;    /* its queries are being handed on: it must not be freed */
	bool broken;  /* to be closed */
	bool no_more; /* the client has closed its side, and waits for answers */
};

struct dns_tcp {
	sd_event *event;
	int fd;
	sd_event_source *source, *timer;
	const struct dns_tcp_ops *ops;
	void *userdata;
	struct dns_connection *connections; /* the newest first */
	size_t count;
};

static void connection_free(struct dns_connection *connection)
{
	struct dns_tcp *tcp = connection->tcp;
	struct dns_connection **at = &tcp->connections;

	while (*at != connection)
		at = &(*at)->next;
	*at = connection->next;
	tcp->count--;
	tcp->ops->closed(tcp->userdata, connection);
	event_source_drop(&connection->source);
	close(connection->fd);
	strbuf_done(&connection->out);
	free(connection);
}

static void update_events(struct dns_connection *connection)
{
	uint32_t events = 0;

	if (connection->queries < QUERIES_MAX && !connection->no_more)
		events |= EPOLLIN;
	if (connection->out.length)
		events |= EPOLLOUT;
	(void)sd_event_source_set_io_events(connection->source, events);
}

static void flush(struct dns_connection *connection)
{
	struct strbuf *out = &connection->out;
	ssize_t n = send(connection->fd, out->data + connection->sent,
			 out->length - connection->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		connection->broken = true;
	if (n <= 0)
		return;
	connection->sent += n;
	if (connection->sent < out->length)
		return;
	strbuf_done(out);
	*out = (struct strbuf){0};
	connection->sent = 0;
}

/* Closes it if that is what is left to do. Not to be touched afterwards. */
static void settle(struct dns_connection *connection)
{
	if (connection->busy)
		return;
	if (connection->broken ||
	    (connection->no_more && !connection->queries && !connection->out.length))
		connection_free(connection);
	else
		update_events(connection);
}

void dns_connection_reply(struct dns_connection *connection, const uint8_t *data, size_t size)
{
	uint8_t length[2];

	connection->queries--;
	connection->idle_since_usec = units_monotonic_usec();
	dns_put16(length, size);
	strbuf_add_n(&connection->out, length, sizeof(length));
	strbuf_add_n(&connection->out, data, size);
	flush(connection);
	if (connection->out.length - connection->sent > UNSENT_MAX)
		connection->broken = true;
	settle(connection);
}

/* Hands on all queries that are whole. */
static void take_queries(struct dns_connection *connection)
{
	struct dns_tcp *tcp = connection->tcp;
	size_t at = 0;

	while (connection->received - at >= 2 && connection->queries < QUERIES_MAX &&
	       !connection->broken) {
		size_t size = dns_get16(connection->in + at);

		if (size < DNS_HEADER || size > QUERY_MAX) {
			connection->broken = true;
			return;
		}
		if (connection->received - at < 2 + size)
			break;
		connection->queries++;
		connection->idle_since_usec = units_monotonic_usec();
		tcp->ops->query(tcp->userdata, connection, connection->in + at + 2, size);
		at += 2 + size;
	}
	connection->received -= at;
	memmove(connection->in, connection->in + at, connection->received);
}

static void receive(struct dns_connection *connection)
{
	ssize_t n = recv(connection->fd, connection->in + connection->received,
			 sizeof(connection->in) - connection->received, MSG_DONTWAIT);

	if (n == 0 && connection->received < sizeof(connection->in))
		connection->no_more = true;
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		connection->broken = true;
	if (n > 0)
		connection->received += n;
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct dns_connection *connection = userdata;

	connection->busy = true;
	if (events & EPOLLERR)
		connection->broken = true;
	if (events & EPOLLOUT && connection->out.length)
		flush(connection);
	if (events & (EPOLLIN | EPOLLHUP))
		receive(connection);
	take_queries(connection);
	connection->busy = false;
	settle(connection);
	return 0;
}

static void arm_timer(struct dns_tcp *tcp, uint64_t usec);

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct dns_tcp *tcp = userdata;
	uint64_t now = units_monotonic_usec(), first = UINT64_MAX;

	for (struct dns_connection *c = tcp->connections, *next; c; c = next) {
		next = c->next;
		if (c->idle_since_usec + IDLE_USEC <= now && !c->queries)
			connection_free(c);
		else if (c->idle_since_usec + IDLE_USEC < first)
			first = c->idle_since_usec + IDLE_USEC;
	}
	(void)sd_event_source_set_enabled(tcp->source, SD_EVENT_ON);
	/* One whose query is under way is looked at again: that ends within seconds. */
	if (first != UINT64_MAX)
		arm_timer(tcp, first > now ? first : now + USEC_PER_SEC);
	return 0;
}

static void arm_timer(struct dns_tcp *tcp, uint64_t usec)
{
	if (!tcp->timer) {
		(void)sd_event_add_time(tcp->event, &tcp->timer, CLOCK_MONOTONIC, usec,
					100 * USEC_PER_MSEC, on_timer, tcp);
		return;
	}
	(void)sd_event_source_set_time(tcp->timer, usec);
	(void)sd_event_source_set_enabled(tcp->timer, SD_EVENT_ONESHOT);
}

static void add_connection(struct dns_tcp *tcp, int fd)
{
	struct dns_connection *connection = new (struct dns_connection);

	connection->tcp = tcp;
	connection->fd = fd;
	connection->next = tcp->connections;
	connection->idle_since_usec = units_monotonic_usec();
	tcp->connections = connection;
	tcp->count++;
	if (sd_event_add_io(tcp->event, &connection->source, fd, EPOLLIN, on_connection,
			    connection) < 0)
		connection_free(connection);
	else if (tcp->count == 1)
		arm_timer(tcp, connection->idle_since_usec + IDLE_USEC);
}

/* Whoever has been idle for longest makes room. False: all are at work. */
static bool make_room(struct dns_tcp *tcp)
{
	struct dns_connection *oldest = NULL;

	if (tcp->count < CONNECTIONS_MAX)
		return true;
	for (struct dns_connection *c = tcp->connections; c; c = c->next)
		if (!c->queries && !c->busy &&
		    (!oldest || c->idle_since_usec <= oldest->idle_since_usec))
			oldest = c;
	if (oldest)
		connection_free(oldest);
	return oldest;
}

static int on_accept(sd_event_source *source, int listener, uint32_t events, void *userdata)
{
	struct dns_tcp *tcp = userdata;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		if (make_room(tcp))
			add_connection(tcp, fd);
		else
			close(fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
		/* It stays readable: look again later instead of spinning. */
		(void)sd_event_source_set_enabled(tcp->source, SD_EVENT_OFF);
		arm_timer(tcp, units_monotonic_usec() + ACCEPT_PAUSE_USEC);
	}
	return 0;
}

int dns_tcp_new(sd_event *event, int fd, const struct dns_tcp_ops *ops, void *userdata,
		struct dns_tcp **ret)
{
	struct dns_tcp *tcp = new (struct dns_tcp);
	int r = 0;

	*tcp = (struct dns_tcp){
		.event = sd_event_ref(event), .fd = fd, .ops = ops, .userdata = userdata};
	if (listen(fd, BACKLOG) < 0)
		r = -errno;
	if (!r)
		r = fd_set_nonblock(fd, true);
	if (!r)
		r = sd_event_add_io(event, &tcp->source, fd, EPOLLIN, on_accept, tcp);
	if (r < 0) {
		dns_tcp_free(tcp);
		return r;
	}
	*ret = tcp;
	return 0;
}

void dns_tcp_free(struct dns_tcp *tcp)
{
	if (!tcp)
		return;
	while (tcp->connections)
		connection_free(tcp->connections);
	event_source_drop(&tcp->source);
	event_source_drop(&tcp->timer);
	sd_event_unref(tcp->event);
	free(tcp);
}
