/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_REQUESTS_CONNECTION_H
#define COMPOSE_SUPERVISOR_REQUESTS_CONNECTION_H

/*
 * connection.h - one client at the control socket, as seen by whoever answers it.
 */

#include <jansson.h>
#include <stddef.h>

#include "common/error.h"

struct connection;

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
