/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_SYSTEMD_SYSTEMD_CGROUP_H
#define COMPOSE_CLI_SYSTEMD_SYSTEMD_CGROUP_H

/*
 * systemd_cgroup.h - the control group that systemd has put us into.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "common/error.h"

/*
 * A group whose children have controllers takes no processes (cgroups(7)), so that systemd, before
 * 254, cannot start a new main process in a unit's group while containers are left below it. Takes
 * the controllers from all groups of our unit; the next keeper gives them back, and the limits
 * with them.
 */
int systemd_cgroup_open_up(struct error *err);

/* Whether process @pid is in the group that is delegated to us, or below it. */
bool systemd_cgroup_has(pid_t pid);

/* Whether our group, or the one above it, is delegated to us: a unit of the user's own, say. */
bool systemd_cgroup_delegated(void);

#endif
