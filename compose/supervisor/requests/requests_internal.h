/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_REQUESTS_REQUESTS_INTERNAL_H
#define COMPOSE_SUPERVISOR_REQUESTS_REQUESTS_INTERNAL_H

/*
 * requests_internal.h - what stands behind the control socket: the server that listens
 * (requests.c), its connections (connection.c), and a function for each request
 * (requests_handlers.c).
 */

#include <systemd/sd-event.h>

#include "compose/control/message.h"
#include "compose/supervisor/requests/connection.h"
#include "compose/supervisor/requests/requests.h"
#include "compose/supervisor/supervisor.h"

struct connection {
	struct connection *next;
	struct server *server;
	struct message_stream *stream;
	sd_event_source *source;
	char id[33];
	bool asked;   /* its request came */
	bool ending;  /* its last message is on the way */
	bool follows; /* it listens to events, and can do so with the next supervisor */
	bool guest;   /* ... and only as long as we are here anyway */
	void (*closed)(struct connection *connection, void *data);
	void *data;
	char **waiting; /* `wait`: ids that did not exit yet */
};

struct server {
	struct supervisor *supervisor;
	int fd;
	sd_event_source *source;
	struct connection *first;
	size_t count;
};

void connection_free(struct connection *connection);
/* Waits for what the client says, and for room where something is still to be written. */
void connection_watch(struct connection *connection);

/* Calls the function for @request. It may take @fds, which are then negative. */
void requests_dispatch(struct connection *connection, const json_t *request, int *fds,
		       size_t count);

/* The request `wait`: answered when the last of those asked for has ended. */
void requests_wait(struct connection *connection, const json_t *request);

#endif
