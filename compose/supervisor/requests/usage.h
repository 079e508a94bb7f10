/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_REQUESTS_USAGE_H
#define COMPOSE_SUPERVISOR_REQUESTS_USAGE_H

/*
 * usage.h - what containers use of the machine: the requests `usage` (stats, top) and `root` (cp,
 * export), which let a client look into them.
 */

#include <jansson.h>

#include "common/error.h"

struct connection;
struct instance;
struct supervisor;

/* Reply of the request `usage`; new reference. */
json_t *usage_of_containers(struct supervisor *supervisor);

/* Request `root`: answers, now or when a job has stacked the layers. */
void usage_root_request(struct supervisor *supervisor, struct connection *connection,
			const json_t *request);

/*
 * The root of a container that runs as its own processes see it, with all that is mounted there: an
 * O_PATH descriptor, the caller's. -ESRCH: it has just ended.
 */
int usage_running_root(const struct instance *instance, struct error *err);

#endif
