// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/requests/requests.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/json.h"

#include "compose/supervisor/executor.h"
#include "compose/supervisor/keeper/keeper_client.h"
#include "compose/supervisor/requests/requests_internal.h"

#define CONNECTIONS_MAX 1024

static bool is_guest(const struct connection *connection, bool told_to_end)
{
	return connection->guest || (told_to_end && connection->follows);
}

/* Those that have all they asked for, or are to be told as the last thing, keep nobody here. */
static bool keeps_us(const struct connection *connection, bool told_to_end)
{
	return !is_guest(connection, told_to_end) &&
	       !(connection->ending && !message_queued(connection->stream)) &&
	       !executor_is_parting(connection->server->supervisor->executor, connection);
}

bool server_idle(const struct server *server, bool told_to_end)
{
	for (const struct connection *at = server->first; at; at = at->next)
		if (keeps_us(at, told_to_end))
			return false;
	return true;
}

static bool is_unserved(const struct connection *connection, bool told_to_end)
{
	return is_guest(connection, told_to_end) && message_queued(connection->stream);
}

bool server_guests_served(const struct server *server, bool told_to_end)
{
	for (const struct connection *at = server->first; at; at = at->next)
		if (is_unserved(at, told_to_end))
			return false;
	return true;
}

void server_drop_guests(struct server *server, bool told_to_end)
{
	for (struct connection *at = server->first, *next; at; at = next) {
		next = at->next;
		if (is_unserved(at, told_to_end))
			connection_free(at);
	}
}

/* False: the connection is no more. */
static bool receive(struct connection *connection)
{
	struct error err = ERROR_INIT;
	int fds[FD_PASS_MAX];
	size_t count = 0;
	json_t *request = NULL;
	int r = message_receive(connection->stream, &request, fds, &count, &err);

	if (r == 0)
		return true;
	if (r < 0) {
		if (r != -EPIPE && !connection->ending) {
			connection_fail(connection, &err, 1);
			return true;
		}
		return false;
	}
	if (!connection->asked) {
		requests_dispatch(connection, request, fds, count);
		connection->server->supervisor->met |= !connection->guest;
	} else if (json_get_string(request, "image")) {
		executor_image_told(connection->server->supervisor->executor, connection, request);
	}
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	json_decref(request);
	return true;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct connection *connection = data;
	struct supervisor *supervisor = connection->server->supervisor;
	struct error err = ERROR_INIT;
	bool alive = true;

	if (events & EPOLLOUT) {
		alive = message_flush(connection->stream, &err) >= 0;
		if (alive && connection->ending && !message_queued(connection->stream))
			(void)shutdown(fd, SHUT_WR);
	}
	if (alive && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		alive = receive(connection);
	if (alive && (events & EPOLLHUP))
		alive = false;
	if (!alive)
		connection_free(connection);
	else
		connection_watch(connection);
	if (!alive || (events & EPOLLOUT))
		supervisor_maybe_end(supervisor);
	return 0;
}

static bool may_ask(int fd)
{
	struct ucred peer = {0};
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	return peer.uid == 0 || peer.uid == geteuid();
}

static int on_connect(sd_event_source *source, int listening, uint32_t events, void *data)
{
	struct server *server = data;
	struct connection *connection;
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return 0;
	if (server->count >= CONNECTIONS_MAX || !may_ask(fd)) {
		close(fd);
		return 0;
	}
	connection = new (struct connection);
	connection->server = server;
	connection->next = server->first;
	server->first = connection;
	server->count++;
	connection->stream = message_stream_new(fd);
	if (sd_event_add_io(server->supervisor->event, &connection->source, fd, EPOLLIN, on_io,
			    connection) < 0)
		connection_free(connection);
	return 0;
}

/* Named only once it listens, so that whoever finds it can connect. */
static int listen_anew(struct supervisor *supervisor, struct error *err)
{
	static const char *const name[] = {"control"};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char dir[FD_PATH_MAX];

	if (fd < 0)
		return error_errno(err, "make the control socket");
	/* By way of the descriptor: the path itself may be too long for a socket's address. */
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.new",
		 fd_path(supervisor->runtime_dir, dir));
	(void)unlinkat(supervisor->runtime_dir, "control.new", 0);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    fchmodat(supervisor->runtime_dir, "control.new", 0600, 0) < 0 || listen(fd, 128) < 0 ||
	    renameat(supervisor->runtime_dir, "control.new", supervisor->runtime_dir,
		     "control.sock") < 0)
		return error_errno(err, "%s/control.sock", supervisor->runtime_path);
	(void)keeper_client_store(supervisor->keeper, name, &fd, 1);
	return TAKE_FD(fd);
}

/* The kept socket is worth something only as long as it is the one at our path. */
static int kept_socket(struct supervisor *supervisor)
{
	_cleanup_close_ int fd = supervisor_claim_fd(supervisor, "control");

	if (fd < 0 || faccessat(supervisor->runtime_dir, "control.sock", F_OK, 0) < 0)
		return -EBADF;
	return TAKE_FD(fd);
}

int server_new(struct supervisor *supervisor, struct server **ret, struct error *err)
{
	struct server *server;
	int fd = kept_socket(supervisor), r;

	if (fd < 0)
		fd = listen_anew(supervisor, err);
	if (fd < 0)
		return fd;
	server = new (struct server);
	server->supervisor = supervisor;
	server->fd = fd;
	r = sd_event_add_io(supervisor->event, &server->source, fd, EPOLLIN, on_connect, server);
	if (r < 0) {
		close(fd);
		free(server);
		return error_code(err, r, "watch the control socket");
	}
	*ret = server;
	return 0;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	while (server->first)
		connection_free(server->first);
	sd_event_source_disable_unref(server->source);
	close(server->fd);
	free(server);
}
