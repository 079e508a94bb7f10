/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_SLICES_H
#define COMPOSE_SUPERVISOR_SLICES_H

/*
 * slices.h - where a container's control group is made: below the project's, below the group that
 * `cgroup_parent` names, or, where that is a slice of systemd's ("NAME.slice") and systemd has
 * version 2, in a scope in that slice, one for the project, so that the slice's limits hold for it
 * and `systemctl status NAME.slice` shows it.
 *
 * A scope is there as long as a process is in it. The first is ours, and stays until the container
 * is in.
 */

#include <sys/types.h>

#include "common/error.h"

struct instance;

struct slice_visit {
	pid_t holder; /* 0: none */
};

/* For cgroup.h. Lives as long as the instance is not started anew. */
const char *slices_base(const struct instance *instance);

/*
 * Before a birth: decides slices_base(). Asks systemd, some 10 ms, 5 s at most: this waits, as
 * every start in a slice comes after its scope, and slices are few.
 */
int slices_enter(struct instance *instance, struct slice_visit *ret, struct error *err);
/* The container was cloned, or failed to be. */
void slices_entered(struct slice_visit *visit);

#endif
