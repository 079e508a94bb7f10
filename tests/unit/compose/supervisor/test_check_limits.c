// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>

#include "common/cleanup.h"

#include "compose/supervisor/translate/check.h"

#define SET(n)            \
	{                 \
		true, (n) \
	}
#define MB (INT64_C(1) << 20)

static const struct {
	struct service service;
	const char *where, *expect; /* NULL: nothing is wrong */
} cases[] = {
	{{.mem_limit = SET(64 * MB)}, "", NULL},
	{{.mem_limit = SET(64 * MB), .mem_reservation = SET(64 * MB)}, "", NULL},
	{{.mem_limit = SET(64 * MB), .memswap_limit = SET(-1)}, "", NULL},
	{{.memswap_limit = SET(-1)}, "", NULL},
	{{.mem_swappiness = SET(-1)}, "", NULL},
	{{.cpu_period = SET(100000), .cpu_quota = SET(-1)}, "", NULL},
	{{.cpuset = (char *)"0"}, "", NULL},
	{{.cpuset = (char *)" 0,0-0\n"}, "", NULL},
	{{.mem_limit = SET(64 * MB), .mem_reservation = SET(65 * MB)},
	 "#/mem_reservation",
	 "its memory reservation, 68157440 bytes, is more than its memory limit, 67108864"},
	{{.deploy = {.reservations = {.memory = SET(1024)}}},
	 "#/deploy/resources/reservations/memory",
	 "its memory reservation is 1024 bytes, and the least is 6 MB: \"512m\" are megabytes, a "
	 "number alone is bytes"},
	{{.mem_limit = SET(64 * MB), .memswap_limit = SET(MB)},
	 "#/memswap_limit",
	 "memswap_limit is memory and swap together, and 1048576 bytes are less than its memory "
	 "limit, 67108864"},
	{{.memswap_limit = SET(64 * MB)},
	 "#/memswap_limit",
	 "memswap_limit is memory and swap together, and needs a mem_limit beside it"},
	{{.mem_swappiness = SET(101)},
	 "#/mem_swappiness",
	 "mem_swappiness is from 0 to 100, not 101"},
	{{.cpus = SET(0.5), .cpu_quota = SET(50000)},
	 "#/cpu_quota",
	 "cpus and cpu_quota exclude one another: cpus are a quota in a period of 100 ms"},
	{{.cpu_period = SET(5)},
	 "#/cpu_period",
	 "cpu_period is from 1ms (1000) to 1s (1000000), not 5 microseconds"},
	{{.cpu_quota = SET(5)},
	 "#/cpu_quota",
	 "cpu_quota is 1ms (1000) at least, not 5 microseconds"},
	{{.cpu_shares = SET(-1)}, "#/cpu_shares", "cpu_shares must not be negative"},
	{{.cpu_rt_runtime = SET(2), .cpu_rt_period = SET(1)},
	 "#/cpu_rt_runtime",
	 "cpu_rt_runtime cannot be more than cpu_rt_period"},
};

Test(check_limits, has_the_engines_bounds)
{
	array_foreach(c, cases) {
		struct resources_spec resources = {
			.memory_bytes = c->service.mem_limit.value,
			.memory_reservation_bytes = c->service.mem_reservation.value +
						    c->service.deploy.reservations.memory.value,
			.memory_swappiness = c->service.mem_swappiness.value,
		};
		struct error err = ERROR_INIT;
		int r = check_limits(&c->service, &resources, &err);

		cr_expect_eq(r, c->expect ? -EINVAL : 0, "row %ld: %s", (long)(c - cases),
			     err.message);
		cr_expect_str_eq(err.where, c->where);
		cr_expect_str_eq(err.message, c->expect ?: "");
	}
}

static const char *const sets[] = {"abc", "1-0", "0-", "-1", "0-99999", "0;1", ","};

Test(check_limits, knows_the_machines_processors)
{
	array_foreach(set, sets) {
		struct service service = {.cpuset = (char *)*set};
		struct resources_spec resources = {0};
		struct error err = ERROR_INIT;

		cr_expect_eq(check_limits(&service, &resources, &err), -EINVAL, "%s", *set);
		cr_expect_str_eq(err.where, "#/cpuset");
	}
}
