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
/*
 * Nobody is here but guests: those who only listen to events, and are content with the next
 * supervisor. @told_to_end: that are all who listen.
 */
bool server_idle(const struct server *server, bool told_to_end);
/* True: guests have read all there is. Else supervisor_maybe_end() is called when they have. */
bool server_guests_served(const struct server *server, bool told_to_end);
/* Does without those who have not. */
void server_drop_guests(struct server *server, bool told_to_end);

void server_instance_changed(struct server *server, struct instance *instance);
void server_instance_gone(struct server *server, struct instance *instance);

#endif
