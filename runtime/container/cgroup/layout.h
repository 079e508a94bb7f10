/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_CONTAINER_CGROUP_LAYOUT_H
#define RUNTIME_CONTAINER_CGROUP_LAYOUT_H

/*
 * layout.h - the hierarchies that this machine has mounted, found once a process.
 *
 * Each hierarchy is one descriptor; groups are named relative to it, so that a hundred containers
 * hold no descriptors. On a hybrid machine the v2 tree, though without controllers, is used for
 * what it does better: births straight into it, kill, freeze, and the list of processes.
 */

#include <stdbool.h>

#include "common/error.h"

enum controller {
	CONTROLLER_MEMORY,
	CONTROLLER_CPU,
	CONTROLLER_CPUACCT,
	CONTROLLER_CPUSET,
	CONTROLLER_PIDS,
	CONTROLLER_DEVICES,
	CONTROLLER_FREEZER,
	CONTROLLER_BLKIO,
	CONTROLLER_COUNT,
};

struct hierarchy {
	int fd;           /* the directory below which our groups stand; -EBADF: none */
	char prefix[256]; /* of a delegated group, "" or "a/b/": goes before our groups' names */
};

struct cgroup_layout {
	struct hierarchy v2, v1[CONTROLLER_COUNT];
	bool none;           /* nothing was delegated to us: containers have no groups */
	bool v2_controllers; /* v2 has controllers of its own: not a hybrid */
};

const struct cgroup_layout *cgroup_layout(struct error *err);
const char *controller_name(enum controller controller);

/* For the test: reads the layout from these two files' texts; mounts are opened below "/". */
int cgroup_layout_parse(char *mountinfo, char *self_cgroup, struct cgroup_layout *ret,
			struct error *err);

#endif
