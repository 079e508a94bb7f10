/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_NETWORK_MEMBERSHIP_H
#define COMPOSE_SUPERVISOR_NETWORK_MEMBERSHIP_H

/*
 * membership.h - `network connect` and `disconnect`: a container gets or loses a network while it
 * is there, running or not, and has it so after its next start as well.
 */

#include <jansson.h>

#include "compose/supervisor/requests/connection.h"

struct supervisor;

/* Answer the requests of these names (compose/control/requests.h). */
void membership_connect(struct supervisor *supervisor, struct connection *connection,
			const json_t *request);
void membership_disconnect(struct supervisor *supervisor, struct connection *connection,
			   const json_t *request);

#endif
