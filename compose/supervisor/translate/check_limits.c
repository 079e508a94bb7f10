// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_limits.c - memory and processors, within the bounds that Docker's engine has for them. Only
 * of what is planned: a container that is there starts as it did, on a smaller machine as well.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/str.h"

#include "compose/control/place.h"
#include "compose/supervisor/translate/check.h"

#define CPU_PERIOD_MIN_USEC 1000
#define CPU_PERIOD_MAX_USEC 1000000
#define CPUS_TEXT_MAX       4096

#define ONLINE_CPUS  "/sys/devices/system/cpu/online"
#define ONLINE_NODES "/sys/devices/system/node/online"

static int under_reservation(struct error *err, const struct service *service)
{
	return service->mem_reservation.set
		       ? place_under(err, "mem_reservation", NULL)
		       : place_under(err, "deploy", "resources", "reservations", "memory", NULL);
}

static int check_swap(const struct service *service, const struct resources_spec *resources,
		      struct error *err)
{
	int64_t swap = service->memswap_limit.set ? service->memswap_limit.value : 0;

	if (swap <= 0 || swap >= resources->memory_bytes) {
		if (swap <= 0 || resources->memory_bytes > 0)
			return 0;
		error_set(err, EINVAL,
			  "memswap_limit is memory and swap together, and needs a mem_limit beside "
			  "it");
	} else {
		error_set(err, EINVAL,
			  "memswap_limit is memory and swap together, and %lld bytes are less than "
			  "its memory limit, %lld",
			  (long long)swap, (long long)resources->memory_bytes);
	}
	return place_under(err, "memswap_limit", NULL);
}

static int check_memory(const struct service *service, const struct resources_spec *resources,
			struct error *err)
{
	int64_t limit = resources->memory_bytes, reserved = resources->memory_reservation_bytes;
	int64_t swappiness = resources->memory_swappiness;

	if (reserved > 0 && reserved < MEMORY_MIN_BYTES) {
		error_set(err, EINVAL,
			  "its memory reservation is %lld bytes, and the least is 6 MB: \"512m\" "
			  "are megabytes, a number alone is bytes",
			  (long long)reserved);
		return under_reservation(err, service);
	}
	if (limit > 0 && reserved > limit) {
		error_set(err, EINVAL,
			  "its memory reservation, %lld bytes, is more than its memory limit, %lld",
			  (long long)reserved, (long long)limit);
		return under_reservation(err, service);
	}
	if (service->mem_swappiness.set && (swappiness < -1 || swappiness > 100)) {
		error_set(err, EINVAL, "mem_swappiness is from 0 to 100, not %lld",
			  (long long)swappiness);
		return place_under(err, "mem_swappiness", NULL);
	}
	return check_swap(service, resources, err);
}

static int check_cpu(const struct service *service, double cpus, struct error *err)
{
	/* Each time it is asked, libc reads a file. */
	long there = cpus > 1 ? sysconf(_SC_NPROCESSORS_ONLN) : 1;
	int64_t period = service->cpu_period.set ? service->cpu_period.value : 0;
	int64_t quota = service->cpu_quota.set ? service->cpu_quota.value : 0;

	if (there > 0 && cpus > (double)there) {
		error_set(err, EINVAL, "it is to have %g cpus, and this machine has %ld", cpus,
			  there);
		return service->cpus.set
			       ? place_under(err, "cpus", NULL)
			       : place_under(err, "deploy", "resources", "limits", "cpus", NULL);
	}
	if (cpus > 0 && (period || quota)) {
		error_set(err, EINVAL,
			  "cpus and %s exclude one another: cpus are a quota in a period of 100 ms",
			  quota ? "cpu_quota" : "cpu_period");
		return place_under(err, quota ? "cpu_quota" : "cpu_period", NULL);
	}
	if (period && (period < CPU_PERIOD_MIN_USEC || period > CPU_PERIOD_MAX_USEC)) {
		error_set(err, EINVAL,
			  "cpu_period is from 1ms (1000) to 1s (1000000), not %lld microseconds",
			  (long long)period);
		return place_under(err, "cpu_period", NULL);
	}
	if (quota > 0 && quota < CPU_PERIOD_MIN_USEC) {
		error_set(err, EINVAL, "cpu_quota is 1ms (1000) at least, not %lld microseconds",
			  (long long)quota);
		return place_under(err, "cpu_quota", NULL);
	}
	if (service->cpu_shares.set && service->cpu_shares.value < 0) {
		error_set(err, EINVAL, "cpu_shares must not be negative");
		return place_under(err, "cpu_shares", NULL);
	}
	if (service->cpu_rt_period.set && service->cpu_rt_runtime.set &&
	    service->cpu_rt_runtime.value > service->cpu_rt_period.value) {
		error_set(err, EINVAL, "cpu_rt_runtime cannot be more than cpu_rt_period");
		return place_under(err, "cpu_rt_runtime", NULL);
	}
	return 0;
}

static bool add_range(const char *text, bool *set, size_t size)
{
	char *end;
	unsigned long from, to;

	if (*text < '0' || *text > '9')
		return false;
	from = to = strtoul(text, &end, 10);
	if (*end == '-' && end[1] >= '0' && end[1] <= '9')
		to = strtoul(end + 1, &end, 10);
	if (*end || to < from || to >= size)
		return false;
	for (; from <= to; from++)
		set[from] = true;
	return true;
}

/* "0-3,7", as the kernel reads it (cgroup-v1/cpusets.rst). False: it is none. */
static bool parse_set(const char *text, bool set[CPU_SETSIZE])
{
	_cleanup_strv_ char **ranges = strv_split(text, ", \n");

	memset(set, 0, CPU_SETSIZE * sizeof(*set));
	strv_foreach(range, ranges)
		if (!add_range(range, set, CPU_SETSIZE))
			return false;
	return ranges != NULL;
}

/* Those that are not online do not exist; what stands above us may have fewer. */
static int check_set(const char *text, const char *key, const char *what, const char *file,
		     struct error *err)
{
	_cleanup_free_ char *online = NULL;
	bool wanted[CPU_SETSIZE], there[CPU_SETSIZE];
	struct error ignored = ERROR_INIT;

	if (!text || !*text)
		return 0;
	if (fs_read(AT_FDCWD, file, CPUS_TEXT_MAX, &online, NULL, &ignored) < 0)
		return 0;
	online[strcspn(online, "\n")] = '\0';
	if (!parse_set(online, there))
		return 0;
	if (!parse_set(text, wanted))
		return error_set(err, EINVAL,
				 "%s: '%.100s' is not a list like \"0-2,4\" of this machine's %s, "
				 "which are %.100s",
				 key, text, what, online);
	for (size_t i = 0; i < CPU_SETSIZE; i++)
		if (wanted[i] && !there[i])
			return error_set(err, EINVAL,
					 "%s: '%.100s' asks for %zu, and this machine's %s are "
					 "%.100s",
					 key, text, i, what, online);
	return 0;
}

int check_limits(const struct service *service, const struct resources_spec *resources,
		 struct error *err)
{
	double cpus = service->cpus.set                 ? service->cpus.value
		      : service->deploy.limits.cpus.set ? service->deploy.limits.cpus.value
							: 0;

	if (check_memory(service, resources, err) < 0 || check_cpu(service, cpus, err) < 0)
		return -err->code;
	if (check_set(service->cpuset, "cpuset", "cpus", ONLINE_CPUS, err) < 0)
		return place_under(err, "cpuset", NULL);
	if (check_set(service->berth.cpuset_mems, "x-berth.cpuset_mems", "memory nodes",
		      ONLINE_NODES, err) < 0)
		return place_under(err, "x-berth", "cpuset_mems", NULL);
	return 0;
}
