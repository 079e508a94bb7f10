/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_USAGE_H
#define COMPOSE_CLI_USAGE_H

/*
 * usage.h - what containers use of the machine, as their supervisor tells it.
 */

#include <jansson.h>

#include "compose/cli/args/target.h"

/*
 * The reply of `usage` (compose/control/requests.h) with the containers of @services only, sorted
 * by name and with their "time"; none when nobody knows the project. New reference.
 */
int usage_fetch(const struct target *target, char *const *services, bool all, json_t **ret,
		struct error *err);
/* The same of one container alone (with its "project"). */
int usage_of_container(const json_t *container, json_t **ret, struct error *err);

#endif
