/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_PROBES_UNHEALTHY_H
#define COMPOSE_SUPERVISOR_PROBES_UNHEALTHY_H

/*
 * unhealthy.h - `x-berth.on_unhealthy`: what is done with a container whose probes fail.
 *
 * A restart takes from a budget: so many within a window that moves along. Once it is spent the
 * container is left as it is, and says so, until it was healthy in between.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compose/model/project.h"

#define UNHEALTHY_BUDGET_MAX 100

struct instance;

struct unhealthy_state {
	int64_t *restarts_nsec; /* oldest first; those that still count */
	size_t count;
	char *note; /* for `ps`; NULL: nothing was done */
};

/* Whether one more restart is within the budget at @now_nsec; if so it is written down. */
bool unhealthy_may_restart(struct unhealthy_state *state, const struct berth_extension *berth,
			   int64_t now_nsec);

/* Whether something is done with it; then unhealthy_act() writes its record, once for both. */
bool unhealthy_is_acted_on(const struct instance *instance);
/* It has just become unhealthy. */
void unhealthy_act(struct instance *instance);
/* Somebody started it by hand: all of it is forgotten. */
void unhealthy_forget(struct unhealthy_state *state);

json_t *unhealthy_to_json(const struct unhealthy_state *state); /* NULL: nothing to say */
void unhealthy_from_json(struct unhealthy_state *state, const json_t *json);

#endif
