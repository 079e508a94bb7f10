/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_INSTANCE_SLICES_H
#define COMPOSE_SUPERVISOR_INSTANCE_SLICES_H

/*
 * slices.h - where a container's control group is made: below the project's, below the group that
 * `cgroup_parent` names, or, where that is a slice of systemd's ("NAME.slice") and systemd has
 * version 2, in a scope in that slice, one for the project, so that the slice's limits hold for it
 * and `systemctl status NAME.slice` shows it.
 *
 * A scope is there as long as a process is in it. The first is ours, a child that asks systemd and
 * stays until those that waited for it are in: one for all that come meanwhile.
 */

#include <stdbool.h>

#include "common/error.h"

struct instance;

/* It is one of systemd's that the container is to be in. */
bool slices_wanted(const struct instance *instance);

/* For cgroup.h. Lives as long as the instance is not started anew. */
const char *slices_base(const struct instance *instance);

/*
 * Before a birth: decides slices_base(). 1: not yet, for systemd has been asked; instance_entered()
 * follows, and until it returns the scope is there.
 */
int slices_enter(struct instance *instance, struct error *err);
/* It waits no more. */
void slices_leave(struct instance *instance);

#endif
