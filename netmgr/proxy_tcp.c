// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * proxy_tcp.c - connections: bytes go from socket to pipe to socket by splice() and are never
 * looked at. Each direction ends on its own, as the protocols on top expect.
 */

#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/alloc.h"
#include "common/event.h"
#include "common/fd.h"
#include "common/units.h"

#include "netmgr/proxy_internal.h"
#include "netmgr/usermode.h"

#define BACKLOG          4096 /* the kernel has its own idea of the most */
#define CONNECTIONS_MAX  4096
#define ACCEPTS_PER_TURN 16
#define MOVES_PER_TURN   8
/* More than a socket keeps. */
#define MOVES_AT_THE_END  256
#define PIPE_SIZE         (64 * 1024)
#define SPARE_PIPES       8
#define ACCEPT_PAUSE_USEC (1 * USEC_PER_SEC)

struct pipe {
	int read, write;
};

/* One way through a connection. Its pipe is borrowed while there is something in it. */
struct flow {
	int from, to;
	struct pipe pipe;
	size_t filled;
	bool ended;  /* @from has no more */
	bool closed; /* and @to was told so */
};

struct connection {
	struct proxy_tcp *tcp;
	struct connection *next, **at;
	int fds[2]; /* the client, the container */
	sd_event_source *sources[2];
	struct flow flows[2]; /* from the client, from the container */
	bool connected;
	bool told[2]; /* all that the other one had said before it broke off */
};

struct proxy_tcp {
	sd_event *event;
	int fd;
	struct proxy_target to;
	sd_event_source *source, *timer;
	struct connection *connections;
	size_t count;
	struct pipe spare[SPARE_PIPES];
	size_t spare_count;
};

static void pipe_close(struct pipe *pipe)
{
	if (pipe->read >= 0)
		close(pipe->read);
	if (pipe->write >= 0)
		close(pipe->write);
	pipe->read = pipe->write = -EBADF;
}

static int take_pipe(struct proxy_tcp *tcp, struct pipe *ret)
{
	int fds[2];

	if (tcp->spare_count) {
		*ret = tcp->spare[--tcp->spare_count];
		return 0;
	}
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	*ret = (struct pipe){fds[0], fds[1]};
	return 0;
}

/* An empty pipe serves the next one. */
static void give_pipe(struct proxy_tcp *tcp, struct flow *flow)
{
	if (flow->pipe.read < 0)
		return;
	if (!flow->filled && tcp->spare_count < SPARE_PIPES)
		tcp->spare[tcp->spare_count++] = flow->pipe;
	else
		pipe_close(&flow->pipe);
	flow->pipe = (struct pipe){-EBADF, -EBADF};
}

static void connection_free(struct connection *connection, bool reset)
{
	struct proxy_tcp *tcp = connection->tcp;
	struct linger linger = {.l_onoff = 1};

	*connection->at = connection->next;
	if (connection->next)
		connection->next->at = connection->at;
	tcp->count--;
	for (int i = 0; i < 2; i++) {
		give_pipe(tcp, &connection->flows[i]);
		event_source_drop(&connection->sources[i]);
		if (connection->fds[i] < 0)
			continue;
		if (reset && !connection->told[i])
			(void)setsockopt(connection->fds[i], SOL_SOCKET, SO_LINGER, &linger,
					 sizeof(linger));
		close(connection->fds[i]);
	}
	free(connection);
	(void)sd_event_source_set_enabled(tcp->source, SD_EVENT_ON);
}

static bool would_block(void)
{
	return errno == EAGAIN || errno == EINTR;
}

/* Bytes into the pipe, 0: none now (or at its end); -errno. */
static ssize_t flow_fill(struct proxy_tcp *tcp, struct flow *flow)
{
	ssize_t n;
	int r;

	if (flow->ended || flow->filled >= PIPE_SIZE)
		return 0;
	if (flow->pipe.read < 0) {
		r = take_pipe(tcp, &flow->pipe);
		if (r < 0)
			return r;
	}
	n = splice(flow->from, NULL, flow->pipe.write, NULL, PIPE_SIZE - flow->filled,
		   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n < 0)
		return would_block() ? 0 : -errno;
	if (n == 0)
		flow->ended = true;
	flow->filled += n;
	return n;
}

static ssize_t flow_empty(struct flow *flow)
{
	ssize_t n;

	if (!flow->filled)
		return 0;
	n = splice(flow->pipe.read, NULL, flow->to, NULL, flow->filled,
		   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n < 0)
		return would_block() ? 0 : -errno;
	flow->filled -= n;
	return n;
}

/* Moves what can be moved, within bounds. 0 or -errno. */
static int flow_move(struct proxy_tcp *tcp, struct flow *flow)
{
	for (int i = 0; i < MOVES_PER_TURN; i++) {
		ssize_t in = flow_fill(tcp, flow), out;

		if (in < 0)
			return in;
		out = flow_empty(flow);
		if (out < 0)
			return out;
		if (!in && !out)
			break;
	}
	if (!flow->filled)
		give_pipe(tcp, flow);
	if (flow->ended && !flow->filled && !flow->closed) {
		flow->closed = true;
		if (shutdown(flow->to, SHUT_WR) < 0 && errno != ENOTCONN)
			return -errno;
	}
	return 0;
}

/* True: all of what was still to be read is written. */
static bool flow_finish(struct proxy_tcp *tcp, struct flow *flow)
{
	bool any = false;

	for (int i = 0; i < MOVES_AT_THE_END; i++) {
		ssize_t in = flow_fill(tcp, flow), out = flow_empty(flow);

		any = any || out > 0;
		if (out < 0 || (in <= 0 && out == 0))
			return any && out == 0 && !flow->filled;
	}
	return false;
}

/*
 * One side broke off: what it had said before is the other's still, as it is without us (a server
 * that answers and closes before it has read all), and a reset would overtake it.
 */
static void connection_break(struct connection *connection)
{
	for (int i = 0; i < 2 && connection->connected; i++)
		connection->told[!i] = flow_finish(connection->tcp, &connection->flows[i]);
	connection_free(connection, true);
}

/* A socket is read while its flow has room, and awaited while the other way's bytes wait for it. */
static void update_events(struct connection *connection)
{
	for (int i = 0; i < 2; i++) {
		const struct flow *out = &connection->flows[i], *in = &connection->flows[!i];
		uint32_t events = 0;

		if (connection->connected && !out->ended && out->filled < PIPE_SIZE)
			events |= EPOLLIN;
		if (in->filled || (i == 1 && !connection->connected))
			events |= EPOLLOUT;
		(void)sd_event_source_set_io_events(connection->sources[i], events);
		/* Done with both ways it would only report that it has hung up, again and again. */
		if (out->ended && in->closed)
			(void)sd_event_source_set_enabled(connection->sources[i], SD_EVENT_OFF);
	}
}

static int finish_connect(struct connection *connection)
{
	int code = 0;
	socklen_t size = sizeof(code);

	if (getsockopt(connection->fds[1], SOL_SOCKET, SO_ERROR, &code, &size) < 0)
		return -errno;
	connection->connected = !code;
	return -code;
}

static int on_socket(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct connection *connection = userdata;
	bool from_client = fd == connection->fds[0];
	int r = 0;

	if (!connection->connected) {
		/* The client gave up before there was anybody to talk to; or the container's turn.
		 */
		r = from_client ? -ECONNABORTED : finish_connect(connection);
	} else if (events & EPOLLERR) {
		r = -ECONNRESET;
	}
	for (int i = 0; i < 2 && r >= 0; i++)
		r = flow_move(connection->tcp, &connection->flows[i]);
	if (r < 0)
		connection_break(connection);
	else if (connection->flows[0].closed && connection->flows[1].closed)
		connection_free(connection, false);
	else
		update_events(connection);
	return 0;
}

static int open_connection(struct connection *connection, const struct sockaddr *client)
{
	struct proxy_tcp *tcp = connection->tcp;
	const struct sockaddr *to = (const struct sockaddr *)&tcp->to.address;
	int on = 1, r;

	connection->fds[1] = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connection->fds[1] < 0)
		return -errno;
	usermode_as_client(connection->fds[1], client, to);
	for (int i = 0; i < 2; i++) {
		/* Whoever wrote small pieces wanted them to go at once. */
		(void)setsockopt(connection->fds[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		(void)setsockopt(connection->fds[i], SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
		connection->flows[i] = (struct flow){
			.from = connection->fds[i],
			.to = connection->fds[!i],
			.pipe = {-EBADF, -EBADF},
		};
	}
	if (connect(connection->fds[1], to, tcp->to.size) < 0 && errno != EINPROGRESS)
		return -errno;
	for (int i = 0; i < 2; i++) {
		r = sd_event_add_io(tcp->event, &connection->sources[i], connection->fds[i],
				    i ? EPOLLOUT : 0, on_socket, connection);
		if (r < 0)
			return r;
	}
	return 0;
}

static void add_connection(struct proxy_tcp *tcp, int fd, const struct sockaddr *client)
{
	struct connection *connection = new (struct connection);

	*connection = (struct connection){
		.tcp = tcp,
		.next = tcp->connections,
		.at = &tcp->connections,
		.fds = {fd, -EBADF},
		.flows[0].pipe = {-EBADF, -EBADF},
		.flows[1].pipe = {-EBADF, -EBADF},
	};
	if (connection->next)
		connection->next->at = &connection->next;
	tcp->connections = connection;
	tcp->count++;
	if (open_connection(connection, client) < 0)
		connection_free(connection, true);
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct proxy_tcp *tcp = userdata;

	(void)sd_event_source_set_enabled(tcp->source, SD_EVENT_ON);
	return 0;
}

/* Nothing is accepted for a second: with too few descriptors the socket would stay readable. */
static void pause_accepting(struct proxy_tcp *tcp)
{
	uint64_t until = units_monotonic_usec() + ACCEPT_PAUSE_USEC;

	(void)sd_event_source_set_enabled(tcp->source, SD_EVENT_OFF);
	event_source_drop(&tcp->timer);
	(void)sd_event_add_time(tcp->event, &tcp->timer, CLOCK_MONOTONIC, until, 0, on_pause_over,
				tcp);
}

static int on_accept(sd_event_source *source, int listener, uint32_t events, void *userdata)
{
	struct proxy_tcp *tcp = userdata;

	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage client = {0};
		socklen_t size = sizeof(client);
		int fd;

		if (tcp->count >= CONNECTIONS_MAX) {
			/* Others wait in the backlog until one of these ends. */
			(void)sd_event_source_set_enabled(tcp->source, SD_EVENT_OFF);
			break;
		}
		fd = accept4(listener, (struct sockaddr *)&client, &size,
			     SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			add_connection(tcp, fd, (const struct sockaddr *)&client);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_accepting(tcp);
		break;
	}
	return 0;
}

int proxy_tcp_new(sd_event *event, int fd, const struct proxy_target *to, struct proxy_tcp **ret,
		  struct error *err)
{
	struct proxy_tcp *tcp = new (struct proxy_tcp);
	int r = 0;

	*tcp = (struct proxy_tcp){.event = sd_event_ref(event), .fd = fd, .to = *to};
	if (listen(fd, BACKLOG) < 0)
		r = -errno;
	if (!r)
		r = fd_set_nonblock(fd, true);
	if (!r)
		r = sd_event_add_io(event, &tcp->source, fd, EPOLLIN, on_accept, tcp);
	if (r < 0) {
		proxy_tcp_free(tcp);
		return error_code(err, r, "proxy: cannot accept connections");
	}
	*ret = tcp;
	return 0;
}

void proxy_tcp_retarget(struct proxy_tcp *tcp, const struct proxy_target *to)
{
	tcp->to = *to;
}

void proxy_tcp_free(struct proxy_tcp *tcp)
{
	if (!tcp)
		return;
	while (tcp->connections)
		connection_free(tcp->connections, true);
	while (tcp->spare_count)
		pipe_close(&tcp->spare[--tcp->spare_count]);
	event_source_drop(&tcp->source);
	event_source_drop(&tcp->timer);
	sd_event_unref(tcp->event);
	free(tcp);
}
