// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/json.h"
#include "common/log.h"
#include "common/str.h"

#include "compose/supervisor/executor.h"
#include "compose/supervisor/requests/events.h"
#include "compose/supervisor/requests/requests_internal.h"

#define QUEUED_MAX (4 << 20)

void connection_on_closed(struct connection *connection,
			  void (*closed)(struct connection *connection, void *data), void *data)
{
	connection->closed = closed;
	connection->data = data;
}

void connection_free(struct connection *connection)
{
	struct connection **at = &connection->server->first;
	struct supervisor *supervisor = connection->server->supervisor;

	while (*at && *at != connection)
		at = &(*at)->next;
	if (*at)
		*at = connection->next;
	connection->server->count--;
	if (connection->closed)
		connection->closed(connection, connection->data);
	executor_forget_listener(supervisor->executor, connection);
	events_unsubscribe(supervisor->events, connection);
	sd_event_source_disable_unref(connection->source);
	message_stream_free(connection->stream);
	strv_free(connection->waiting);
	free(connection);
}

void connection_watch(struct connection *connection)
{
	bool queued = message_queued(connection->stream) > 0;

	(void)sd_event_source_set_io_events(connection->source, EPOLLIN | (queued ? EPOLLOUT : 0));
}

static void send_message(struct connection *connection, json_t *message, const int *fds,
			 size_t count)
{
	struct error err = ERROR_INIT;

	/* What fails here shows as an end of the stream in the loop, which then lets it go. */
	if (message_queued(connection->stream) > QUEUED_MAX)
		(void)shutdown(message_stream_fd(connection->stream), SHUT_RDWR);
	else if (message_send(connection->stream, message, fds, count, &err) < 0)
		log_debug("a client: %s", err.message);
	json_decref(message);
	connection_watch(connection);
}

void connection_event(struct connection *connection, json_t *event, const int *fds, size_t count)
{
	send_message(connection, event, fds, count);
}

/* The client reads to the end and closes; so do we, when all is written. */
static void end(struct connection *connection)
{
	connection->ending = true;
	connection->closed = NULL;
	executor_forget_listener(connection->server->supervisor->executor, connection);
	events_unsubscribe(connection->server->supervisor->events, connection);
	if (!message_queued(connection->stream))
		(void)shutdown(message_stream_fd(connection->stream), SHUT_WR);
}

void connection_done(struct connection *connection, json_t *fields, const int *fds, size_t count)
{
	json_t *message = fields ?: json_object();

	json_put_string(message, "reply", "done");
	send_message(connection, message, fds, count);
	end(connection);
}

void connection_fail(struct connection *connection, const struct error *err, int exit_code)
{
	json_t *message = json_object();

	json_put_string(message, "reply", "error");
	json_put_int(message, "code", err->code);
	json_put_string(message, "where", err->where);
	json_put_string(message, "message", err->message);
	json_put_int(message, "exit", exit_code);
	send_message(connection, message, NULL, 0);
	end(connection);
}
