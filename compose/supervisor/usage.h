/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_USAGE_H
#define COMPOSE_SUPERVISOR_USAGE_H

/*
 * usage.h - what containers use of the machine: the requests `usage` (stats, top) and `root` (cp,
 * export), which let a client look into them.
 */

#include <jansson.h>

struct connection;
struct supervisor;

/* Reply of the request `usage`; new reference. */
json_t *usage_of_containers(struct supervisor *supervisor);

/* Request `root`: answers, now or when a job has stacked the layers. */
void usage_root_request(struct supervisor *supervisor, struct connection *connection,
			const json_t *request);

#endif
