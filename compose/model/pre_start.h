/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_MODEL_PRE_START_H
#define COMPOSE_MODEL_PRE_START_H

/*
 * pre_start.h - init containers are services: each hook of `pre_start` becomes one that runs once,
 * on the networks and volumes of its service, which waits until it has completed.
 */

#include "compose/model/project.h"

/*
 * Adds "SERVICE-pre_start-N" for each hook, each waiting for the one before it, and the service for
 * the last one. To be done once, after loading; `config` does not show them.
 */
void project_add_pre_start(struct project *project);
/* One of those: what has completed is not run again as long as nothing of it changes. */
bool service_is_pre_start(const struct service *service);
/* How much of its name is that of the service it is for. */
size_t pre_start_owner_length(const struct service *service);

#endif
