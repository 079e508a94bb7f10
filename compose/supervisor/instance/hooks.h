/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_INSTANCE_HOOKS_H
#define COMPOSE_SUPERVISOR_INSTANCE_HOOKS_H

/*
 * hooks.h - `post_start` and `pre_stop`: commands in the container, one after the other.
 *
 * How far they are is in the container's record, and each is an exec session of its own: a new
 * supervisor goes on where the one before was, and runs none twice that had begun. What they print
 * goes to the container's log.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct instance;

enum hook_phase { HOOKS_NONE, HOOKS_POST_START, HOOKS_PRE_STOP, HOOKS_STOPPED };

struct hook_state {
	enum hook_phase phase;
	size_t next;      /* of the phase's hooks, the one that runs or is to run */
	char session[33]; /* its exec session; "": not begun */
	bool following;   /* we shall hear of its end */
	void (*done)(struct instance *instance);
};

/* Before the container's record is written: a container that runs has its hooks before it. */
void hooks_reset(struct instance *instance);
/*
 * Begins the hooks of @phase, or goes on with them. False: there are none (left). Otherwise @done
 * is called, perhaps at once; instance->hook_error says what failed.
 */
bool hooks_run(struct instance *instance, enum hook_phase phase,
	       void (*done)(struct instance *instance));
bool hooks_pending(const struct instance *instance, enum hook_phase phase);
/* Nobody waits for the one that runs any more. */
void hooks_cancel(struct instance *instance);

json_t *hooks_to_json(const struct instance *instance); /* NULL: nothing to say */
void hooks_from_json(struct instance *instance, const json_t *json);

#endif
