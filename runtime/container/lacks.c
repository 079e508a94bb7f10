// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the child of a birth will have to leave out (confine/credentials.c), told beforehand: the
 * child itself reports failures only.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "common/cleanup.h"
#include "common/rootless.h"

#include "runtime/container/cgroup/cgroup.h"
#include "runtime/container/container.h"

static const struct {
	int resource;
	const char *name;
} limit_names[] = {
	{RLIMIT_CORE, "core"},         {RLIMIT_CPU, "cpu"},
	{RLIMIT_DATA, "data"},         {RLIMIT_FSIZE, "fsize"},
	{RLIMIT_LOCKS, "locks"},       {RLIMIT_MEMLOCK, "memlock"},
	{RLIMIT_MSGQUEUE, "msgqueue"}, {RLIMIT_NICE, "nice"},
	{RLIMIT_NOFILE, "nofile"},     {RLIMIT_NPROC, "nproc"},
	{RLIMIT_RSS, "rss"},           {RLIMIT_RTPRIO, "rtprio"},
	{RLIMIT_RTTIME, "rttime"},     {RLIMIT_SIGPENDING, "sigpending"},
	{RLIMIT_STACK, "stack"},
};

struct text {
	char *data;
	size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
	size_t left = text->size - text->used;
	va_list args;
	int n = snprintf(text->data + text->used, left, "%s", text->used ? "; " : "");

	if (n < 0 || (size_t)n >= left)
		return;
	va_start(args, format);
	left -= (size_t)n;
	text->used += (size_t)n;
	n = vsnprintf(text->data + text->used, left, format, args);
	va_end(args);
	if (n > 0)
		text->used += (size_t)n < left ? (size_t)n : left - 1;
}

static bool have_sys_resource(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	/* In a user namespace it is had for nothing that these ask it for. */
	if (rootless() || syscall(SYS_capget, &header, data) < 0)
		return false;
	return data[0].effective & 1U << CAP_SYS_RESOURCE;
}

static const char *limit_name(int resource)
{
	array_foreach(row, limit_names)
		if (row->resource == resource)
			return row->name;
	return "?";
}

static void add_limits(struct text *text, const struct container_spec *spec)
{
	for (size_t i = 0; i < spec->rlimit_count; i++) {
		const struct rlimit_spec *row = &spec->rlimits[i];
		struct rlimit now;

		if (getrlimit(row->resource, &now) == 0 && row->limit.rlim_max > now.rlim_max)
			add(text, "ulimit %s is %llu, the most that berth itself has",
			    limit_name(row->resource), (unsigned long long)now.rlim_max);
	}
}

static void add_oom_score(struct text *text, int wanted)
{
	_cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
	char now[16];
	ssize_t n = fd < 0 ? -1 : read(fd, now, sizeof(now) - 1);

	if (n <= 0)
		return;
	now[n] = 0;
	if (wanted < atoi(now))
		add(text, "oom_score_adj stays %d: to lower it to %d takes CAP_SYS_RESOURCE",
		    atoi(now), wanted);
}

bool container_lacks(const struct container_spec *spec, char *text, size_t size)
{
	struct text lacks = {text, size, 0};

	*text = 0;
	if ((spec->rlimit_count || spec->set_oom_score_adj) && !have_sys_resource()) {
		add_limits(&lacks, spec);
		if (spec->set_oom_score_adj)
			add_oom_score(&lacks, spec->oom_score_adj);
	}
	if (spec->cgroup_handle && cgroup_lacks_device_rules(spec->cgroup_handle))
		add(&lacks, "no device rules: the kernel refuses them to berth");
	if (spec->cgroup_handle && cgroup_lacks_limits(spec->cgroup_handle))
		add(&lacks, "no limits of memory, processor or processes: no control group is "
			    "delegated to this user (systemd's user manager does, on cgroup v2)");
	return lacks.used > 0;
}
