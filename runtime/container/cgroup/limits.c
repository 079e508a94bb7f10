// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Limits as rows: the controller, its file on v1 and on v2, and how the value is written.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"

#include "runtime/container/cgroup/internal.h"

#define VALUE_MAX 512

/* Writes the value; false: this limit is not set, or this version has no such file. */
typedef bool render_fn(const struct resources_spec *r, bool v2, char *value);

static bool number(char *value, int64_t n)
{
	snprintf(value, VALUE_MAX, "%" PRId64, n);
	return true;
}

static bool memory(const struct resources_spec *r, bool v2, char *value)
{
	return r->memory_bytes > 0 && number(value, r->memory_bytes);
}

static bool reservation(const struct resources_spec *r, bool v2, char *value)
{
	return r->memory_reservation_bytes > 0 && number(value, r->memory_reservation_bytes);
}

/*
 * Docker counts memory and swap together, as v1 does; v2 counts swap alone. Not set, it is as
 * much swap as memory; -1 is no limit.
 */
static bool swap(const struct resources_spec *r, bool v2, char *value)
{
	int64_t total = r->memory_swap_bytes;

	if (r->memory_bytes <= 0 && total <= 0)
		return false;
	if (total < 0) {
		snprintf(value, VALUE_MAX, "%s", v2 ? "max" : "-1");
		return true;
	}
	if (total == 0)
		total = r->memory_bytes > INT64_MAX / 2 ? INT64_MAX : 2 * r->memory_bytes;
	if (!v2)
		return number(value, total);
	return number(value, total > r->memory_bytes ? total - r->memory_bytes : 0);
}

static bool swappiness(const struct resources_spec *r, bool v2, char *value)
{
	return r->memory_swappiness >= 0 && number(value, r->memory_swappiness);
}

static bool oom(const struct resources_spec *r, bool v2, char *value)
{
	return r->oom_kill_disable && number(value, 1);
}

static bool pids(const struct resources_spec *r, bool v2, char *value)
{
	return r->pids > 0 && number(value, r->pids);
}

static int64_t period(const struct resources_spec *r)
{
	return r->cpu_period_usec > 0 ? r->cpu_period_usec : 100000;
}

static bool quota(const struct resources_spec *r, bool v2, char *value)
{
	if (r->cpu_quota_usec <= 0)
		return false;
	if (!v2)
		return number(value, r->cpu_quota_usec);
	snprintf(value, VALUE_MAX, "%" PRId64 " %" PRId64, r->cpu_quota_usec, period(r));
	return true;
}

static bool cpu_period(const struct resources_spec *r, bool v2, char *value)
{
	if (r->cpu_quota_usec <= 0 && r->cpu_period_usec <= 0)
		return false;
	return number(value, period(r));
}

/* Shares 2..262144 onto weights 1..10000, as the OCI runtimes do it. */
static bool shares(const struct resources_spec *r, bool v2, char *value)
{
	int64_t n = r->cpu_shares;

	if (n <= 0)
		return false;
	if (!v2)
		return number(value, n);
	n = n < 2 ? 2 : n > 262144 ? 262144 : n;
	return number(value, 1 + (n - 2) * 9999 / 262142);
}

static bool rt_runtime(const struct resources_spec *r, bool v2, char *value)
{
	return r->cpu_rt_runtime_usec > 0 && number(value, r->cpu_rt_runtime_usec);
}

static bool rt_period(const struct resources_spec *r, bool v2, char *value)
{
	return r->cpu_rt_period_usec > 0 && number(value, r->cpu_rt_period_usec);
}

static bool text(const char *given, char *value)
{
	return given && *given && snprintf(value, VALUE_MAX, "%s", given) < VALUE_MAX;
}

static bool cpus(const struct resources_spec *r, bool v2, char *value)
{
	return text(r->cpuset_cpus, value);
}

static bool mems(const struct resources_spec *r, bool v2, char *value)
{
	return text(r->cpuset_mems, value);
}

/* In the order of writing: on v1 memsw may not be below memory, nor a quota precede its period. */
static const struct limit {
	enum controller controller;
	const char *v1, *v2; /* NULL: not there */
	render_fn *render;
	bool optional; /* kernels without swap accounting or real-time groups lack the file */
	const char *what;
	const char *none_v1, *none_v2; /* what an update writes for no limit; NULL: it is left */
} limits[] = {
	{CONTROLLER_MEMORY, "memory.limit_in_bytes", "memory.max", memory, false, "memory limit",
	 "-1", "max"},
	{CONTROLLER_MEMORY, "memory.memsw.limit_in_bytes", "memory.swap.max", swap, true,
	 "memory and swap limit", "-1", "max"},
	{CONTROLLER_MEMORY, "memory.soft_limit_in_bytes", "memory.low", reservation, false,
	 "memory reservation", "-1", "0"},
	{CONTROLLER_MEMORY, "memory.swappiness", NULL, swappiness, true, "swappiness"},
	{CONTROLLER_MEMORY, "memory.oom_control", NULL, oom, true, "oom_kill_disable"},
	{CONTROLLER_PIDS, "pids.max", "pids.max", pids, false, "limit of processes", "max", "max"},
	{CONTROLLER_CPU, "cpu.shares", "cpu.weight", shares, false, "cpu shares", "1024", "100"},
	{CONTROLLER_CPU, "cpu.cfs_period_us", NULL, cpu_period, false, "cpu period", "100000"},
	{CONTROLLER_CPU, "cpu.cfs_quota_us", "cpu.max", quota, false, "cpu quota", "-1",
	 "max 100000"},
	{CONTROLLER_CPU, "cpu.rt_period_us", NULL, rt_period, true, "cpu real-time period"},
	{CONTROLLER_CPU, "cpu.rt_runtime_us", NULL, rt_runtime, true, "cpu real-time runtime"},
	{CONTROLLER_CPUSET, "cpuset.cpus", "cpuset.cpus", cpus, false, "cpuset"},
	{CONTROLLER_CPUSET, "cpuset.mems", "cpuset.mems", mems, false, "cpuset of memory nodes"},
};

unsigned int limits_controllers(const struct resources_spec *resources)
{
	char value[VALUE_MAX];
	unsigned int needed = io_wanted(resources) ? 1U << CONTROLLER_BLKIO : 0;

	array_foreach(row, limits)
		if (row->render(resources, false, value))
			needed |= 1U << row->controller;
	return needed;
}

/*
 * A new v1 cpuset is empty, and nobody can join it: each level takes its parent's first. @group's
 * names are walked from the top, since the levels above may be ours and new too.
 */
static void fill_cpuset(int hierarchy, const char *group)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
	char path[4096], value[VALUE_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/", group) >= sizeof(path))
		return;
	array_foreach(file, files) {
		if (group_read(hierarchy, ".", *file, value, sizeof(value)) <= 0)
			continue;
		for (char *slash = path; (slash = strchr(slash, '/')); slash++) {
			char own[VALUE_MAX];

			*slash = 0;
			if (group_read(hierarchy, path, *file, own, sizeof(own)) > 1)
				snprintf(value, sizeof(value), "%s", own);
			else
				(void)group_write(hierarchy, path, *file, value);
			*slash = '/';
		}
	}
}

static int write_limit(struct cgroup *cgroup, const struct limit *row, const char *value, bool v2,
		       struct error *err)
{
	int hierarchy = v2 ? cgroup->layout->v2.fd : cgroup->layout->v1[row->controller].fd;
	const char *group = v2 ? cgroup->v2 : cgroup->v1[row->controller];
	const char *file = v2 ? row->v2 : row->v1;
	int r;

	if (!group)
		return error_set(err, ENOENT,
				 "%s: this machine has no %s controller for containers", row->what,
				 controller_name(row->controller));
	r = group_write(hierarchy, group, file, value);
	if (r == -ENOENT && row->optional)
		return 0;
	if (r < 0)
		return error_code(err, r, "%s: set %s to '%s'", row->what, file, value);
	return 0;
}

/* v1 keeps memory <= memsw at each moment, so a raise must begin with memsw. */
static void make_way(struct cgroup *cgroup, const struct resources_spec *resources)
{
	char value[VALUE_MAX];

	if (!swap(resources, false, value))
		snprintf(value, sizeof(value), "-1");
	if (cgroup->v1[CONTROLLER_MEMORY])
		(void)group_write(cgroup->layout->v1[CONTROLLER_MEMORY].fd,
				  cgroup->v1[CONTROLLER_MEMORY], "memory.memsw.limit_in_bytes",
				  value);
}

/* Where there is no group, or no such file, there was no limit either. */
static void lift_limit(struct cgroup *cgroup, const struct limit *row, bool v2)
{
	const char *none = v2 ? row->none_v2 : row->none_v1;
	const char *group = v2 ? cgroup->v2 : cgroup->v1[row->controller];
	int hierarchy = v2 ? cgroup->layout->v2.fd : cgroup->layout->v1[row->controller].fd;

	if (none && group)
		(void)group_write(hierarchy, group, v2 ? row->v2 : row->v1, none);
}

int limits_apply(struct cgroup *cgroup, const struct resources_spec *resources, bool update,
		 struct error *err)
{
	char value[VALUE_MAX];

	if (cgroup->v1[CONTROLLER_CPUSET])
		fill_cpuset(cgroup->layout->v1[CONTROLLER_CPUSET].fd,
			    cgroup->v1[CONTROLLER_CPUSET]);
	if (update)
		make_way(cgroup, resources);
	array_foreach(row, limits) {
		bool v2 = cgroup->layout->v1[row->controller].fd < 0;
		int r;

		if (!(v2 ? row->v2 : row->v1))
			continue;
		if (!row->render(resources, v2, value)) {
			if (update)
				lift_limit(cgroup, row, v2);
			continue;
		}
		r = write_limit(cgroup, row, value, v2, err);
		if (r < 0)
			return r;
	}
	return io_apply(cgroup, resources, err);
}
