/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_INSTANCE_UPDATE_H
#define COMPOSE_SUPERVISOR_INSTANCE_UPDATE_H

/*
 * update.h - gives a container its service as it is in another project, while it runs: labels,
 * limits, restart policy, health check, logging, published ports (service_fixed_hash() is the
 * same).
 *
 * The record says the new service before any of it is done, and that it is still to be done. So a
 * supervisor that dies in between leaves it to the next one, which does it all once more.
 */

#include <jansson.h>

#include "common/error.h"

struct connection;
struct instance;
struct model;
struct supervisor;

int update_container(struct instance *instance, struct model *model, struct error *err);
/* Answers request `update`: the same for some attributes of one container alone. */
void update_request(struct supervisor *supervisor, struct connection *connection,
		    const json_t *request);
/* What the supervisor before us had begun; everything else about the container is resumed. */
void update_resume(struct instance *instance);

#endif
