/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_CONTAINER_CGROUP_INTERNAL_H
#define RUNTIME_CONTAINER_CGROUP_INTERNAL_H

/*
 * internal.h - what the files of this folder share.
 */

#include "runtime/container/cgroup/cgroup.h"
#include "runtime/container/cgroup/layout.h"

/* A group: its name below each hierarchy it is part of; NULL where it is not. */
#define CGROUP_NAME_BYTES 1024

struct cgroup {
	const struct cgroup_layout *layout;
	char *base;         /* of cgroup_create(), without leading slashes */
	const char *prefix; /* before it, on v2; "" for one of CGROUP_ELSEWHERE */
	char *id;
	char *v2;
	char *v1[CONTROLLER_COUNT];
	bool elsewhere;
	bool no_device_rules;
	bool no_limits;
	bool keeps_base;
	bool shared_devices; /* v1[DEVICES] is BASE itself, with the default rules */
	bool remains;        /* of cgroup_remains(): any of the names may lead nowhere */
};

/* Files of a group below a hierarchy. 0 or more, or -errno. */
int group_write(int hierarchy, const char *group, const char *file, const char *value);
ssize_t group_read(int hierarchy, const char *group, const char *file, char *buffer, size_t size);
int64_t group_read_int(int hierarchy, const char *group, const char *file, int64_t otherwise);
/* The number behind @key ("oom_kill 3" in lines, or "rbytes=3" anywhere, summed up). */
uint64_t keyed_value(const char *text, const char *key);
uint64_t keyed_sum(const char *text, const char *key);

/* enable.c: mkdir -p below a hierarchy; and controllers for BASE, from the top down, on v2. */
int group_make(int hierarchy, const char *group);
bool group_exists(int hierarchy, const char *group);
/* Appends the groups below @group, those above others first: an init's, in a container. */
void group_list_below(int hierarchy, const char *group, char ***ret);
void enable_path(const struct cgroup *cgroup);

/* limits.c: which v1 controllers @resources need besides; and to apply them. */
unsigned int limits_controllers(const struct resources_spec *resources);
int limits_apply(struct cgroup *cgroup, const struct resources_spec *resources, bool update,
		 struct error *err);

/* io.c: block devices. */
bool io_wanted(const struct resources_spec *resources);
int io_apply(struct cgroup *cgroup, const struct resources_spec *resources, struct error *err);

/* processes.c: moves everybody into the v1 group of @controller, until nobody is left outside. */
int cgroup_gather(struct cgroup *cgroup, int controller, struct error *err);

/* devices.c */
int devices_apply_v1(int hierarchy, const char *group, const struct resources_spec *resources,
		     struct error *err);
/* 1: the kernel refuses such programs to us. */
int devices_apply_v2(int hierarchy, const char *group, const struct resources_spec *resources,
		     struct error *err);

#endif
