/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_REQUESTS_REQUESTS_H
#define COMPOSE_SUPERVISOR_REQUESTS_REQUESTS_H

/*
 * requests.h - the control socket: connections, one request each (compose/control/requests.h).
 *
 * Only root and the owner of this process may ask. Connections are bounded, and so is what waits
 * for a client that does not read: it is cut off.
 */

#include <stdbool.h>

#include "common/error.h"

struct instance;
struct server;
struct supervisor;

/* Listens at the project's socket, or goes on with the one that the keeper kept. */
int server_new(struct supervisor *supervisor, struct server **ret, struct error *err);
void server_free(struct server *server);
/* Nobody waits for us. @told_to_end: nor do those keep us who only listen for what comes. */
bool server_idle(const struct server *server, bool told_to_end);

void server_instance_changed(struct server *server, struct instance *instance);
void server_instance_gone(struct server *server, struct instance *instance);

#endif
