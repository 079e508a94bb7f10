// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a container uses. On a hybrid machine the processor time comes from v2, which counts it
 * without a controller, the rest from the v1 groups that the container is in.
 */
#include <string.h>

#include "common/cleanup.h"

#include "runtime/container/cgroup/internal.h"

#define TEXT_MAX      16384
#define NSEC_PER_USEC 1000

static int v2_of(const struct cgroup *cgroup, enum controller controller)
{
	return cgroup->v2 && cgroup->layout->v1[controller].fd < 0 ? cgroup->layout->v2.fd : -1;
}

static void read_cpu(const struct cgroup *cgroup, struct cgroup_stats *ret)
{
	const char *group = cgroup->v1[CONTROLLER_CPUACCT];
	int fd = cgroup->layout->v1[CONTROLLER_CPUACCT].fd;
	char text[TEXT_MAX];

	if (cgroup->v2 &&
	    group_read(cgroup->layout->v2.fd, cgroup->v2, "cpu.stat", text, sizeof(text)) > 0) {
		ret->cpu_usec = keyed_value(text, "usage_usec");
		ret->cpu_system_usec = keyed_value(text, "system_usec");
	} else if (group) {
		ret->cpu_usec =
			(uint64_t)group_read_int(fd, group, "cpuacct.usage", 0) / NSEC_PER_USEC;
		ret->cpu_system_usec =
			(uint64_t)group_read_int(fd, group, "cpuacct.usage_sys", 0) / NSEC_PER_USEC;
	}
}

static void read_memory(const struct cgroup *cgroup, struct cgroup_stats *ret)
{
	const char *group = cgroup->v1[CONTROLLER_MEMORY];
	int fd = cgroup->layout->v1[CONTROLLER_MEMORY].fd, v2 = v2_of(cgroup, CONTROLLER_MEMORY);
	char text[TEXT_MAX];

	if (group) {
		ret->memory_bytes = (uint64_t)group_read_int(fd, group, "memory.usage_in_bytes", 0);
		ret->memory_limit_bytes =
			(uint64_t)group_read_int(fd, group, "memory.limit_in_bytes", 0);
		/* Nearly 2^63: no limit. */
		if (ret->memory_limit_bytes > UINT64_C(1) << 62)
			ret->memory_limit_bytes = 0;
		if (group_read(fd, group, "memory.stat", text, sizeof(text)) > 0)
			ret->memory_cache_bytes = keyed_value(text, "total_inactive_file");
	} else if (v2 >= 0) {
		ret->memory_bytes = (uint64_t)group_read_int(v2, cgroup->v2, "memory.current", 0);
		ret->memory_limit_bytes = (uint64_t)group_read_int(v2, cgroup->v2, "memory.max", 0);
		if (group_read(v2, cgroup->v2, "memory.stat", text, sizeof(text)) > 0)
			ret->memory_cache_bytes = keyed_value(text, "inactive_file");
	}
}

static int read_pids(struct cgroup *cgroup, struct cgroup_stats *ret, struct error *err)
{
	const char *group = cgroup->v1[CONTROLLER_PIDS];
	int fd = cgroup->layout->v1[CONTROLLER_PIDS].fd, v2 = v2_of(cgroup, CONTROLLER_PIDS), r;
	_cleanup_free_ pid_t *pids = NULL;
	size_t count;

	if (!group && v2 >= 0) {
		fd = v2;
		group = cgroup->v2;
	}
	if (group) {
		ret->pids_limit = (uint64_t)group_read_int(fd, group, "pids.max", 0);
		ret->pids = (uint64_t)group_read_int(fd, group, "pids.current", 0);
		if (ret->pids)
			return 0;
	}
	r = cgroup_pids(cgroup, &pids, &count, err);
	ret->pids = count;
	return r;
}

static void read_io(const struct cgroup *cgroup, struct cgroup_stats *ret)
{
	int v2 = v2_of(cgroup, CONTROLLER_BLKIO);
	char text[TEXT_MAX];

	if (v2 < 0 || group_read(v2, cgroup->v2, "io.stat", text, sizeof(text)) <= 0)
		return;
	ret->read_bytes = keyed_sum(text, "rbytes");
	ret->write_bytes = keyed_sum(text, "wbytes");
}

int cgroup_stats(struct cgroup *cgroup, struct cgroup_stats *ret, struct error *err)
{
	*ret = (struct cgroup_stats){0};
	read_cpu(cgroup, ret);
	read_memory(cgroup, ret);
	read_io(cgroup, ret);
	return read_pids(cgroup, ret, err);
}

uint64_t cgroup_oom_kills(struct cgroup *cgroup)
{
	const char *group = cgroup->v1[CONTROLLER_MEMORY];
	int fd = cgroup->layout->v1[CONTROLLER_MEMORY].fd;
	char text[512];

	if (group)
		return group_read(fd, group, "memory.oom_control", text, sizeof(text)) > 0
			       ? keyed_value(text, "oom_kill")
			       : 0;
	if (cgroup->v2 &&
	    group_read(cgroup->layout->v2.fd, cgroup->v2, "memory.events", text, sizeof(text)) > 0)
		return keyed_value(text, "oom_kill");
	return 0;
}
