/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_INSTANCE_GROUPS_H
#define COMPOSE_SUPERVISOR_INSTANCE_GROUPS_H

/*
 * groups.h - control groups on their way out.
 *
 * A group is a directory in up to a dozen hierarchies, and can only be removed once the last
 * process in it is gone; so it may take a while, and a supervisor may die in the middle of it. What
 * is left then is found again by its name.
 */

#include "compose/supervisor/instance/instance.h"

/* Removes the instance's group, with whatever is left in it. */
void groups_release(struct instance *instance);
/* The instance is to have a group of the same name: who still removes it is stopped. */
void groups_keep(struct instance *instance);
/* The instance is no more; who still removes its group goes on. */
void groups_forget(struct instance *instance);

/* At start: what is left of the group of a container that does not run. */
void groups_sweep(struct supervisor *supervisor, const char *base, const char *id);
/* At start: groups of containers that nothing is known of any more. */
void groups_sweep_unknown(struct supervisor *supervisor);
/* At the end: the project's own, with no container left. */
void groups_leave(struct supervisor *supervisor);

#endif
