/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_REQUESTS_H
#define COMPOSE_SUPERVISOR_REQUESTS_H

/*
 * requests.h - the control socket: connections, one request each (compose/control/requests.h).
 *
 * Only root and the owner of this process may ask. Connections are bounded, and so is what waits
 * for a client that does not read: it is cut off.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

struct connection;
struct instance;
struct server;
struct supervisor;

/* Listens at the project's socket, or goes on with the one that the keeper kept. */
int server_new(struct supervisor *supervisor, struct server **ret, struct error *err);
void server_free(struct server *server);
bool server_idle(const struct server *server);

void server_instance_changed(struct server *server, struct instance *instance);
void server_instance_gone(struct server *server, struct instance *instance);

/* An event; @event is taken, descriptors are borrowed. */
void connection_event(struct connection *connection, json_t *event, const int *fds, size_t count);
/* The last message. @fields is taken and may be NULL. The connection must not be used afterwards.
 */
void connection_done(struct connection *connection, json_t *fields, const int *fds, size_t count);
void connection_fail(struct connection *connection, const struct error *err, int exit_code);
/* Called when the client left before its answer. */
void connection_on_closed(struct connection *connection,
			  void (*closed)(struct connection *connection, void *data), void *data);

#endif
