// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>

#include "common/cleanup.h"
#include "common/units.h"

#include "compose/supervisor/instance/restart.h"

#define MSEC (int64_t) USEC_PER_MSEC
#define SEC  (int64_t) USEC_PER_SEC

/* What a row of deaths gives, one after the other: the delay before the next start, or -1. */
static const struct {
	const char *restart;
	struct {
		int exit_code;
		int64_t up_usec, expect_usec;
	} deaths[5];
} cases[] = {
	{"no", {{1, 0, -1}}},
	{NULL, {{1, 0, -1}}},
	{"always", {{0, 0, 100 * MSEC}, {1, 0, 200 * MSEC}, {0, 0, 400 * MSEC}}},
	{"always", {{0, 0, 100 * MSEC}, {1, 0, 200 * MSEC}, {0, 10 * SEC, 100 * MSEC}}},
	{"unless-stopped", {{0, 0, 100 * MSEC}, {1, 9 * SEC, 200 * MSEC}}},
	{"on-failure", {{1, 0, 100 * MSEC}, {0, 0, -1}}},
	{"on-failure:2", {{1, 0, 100 * MSEC}, {1, 0, 200 * MSEC}, {1, 0, -1}}},
	{"on-failure:1", {{1, 0, 100 * MSEC}, {1, 11 * SEC, 100 * MSEC}, {1, 0, -1}}},
};

Test(restart, delays_of_a_row_of_deaths)
{
	array_foreach(c, cases) {
		struct service service = {.restart = (char *)c->restart};
		struct restart_policy policy;
		unsigned int attempts = 0;
		int64_t delay = 0;

		restart_policy_of(&service, &policy);
		array_foreach(death, c->deaths) {
			int64_t given = -1;

			if (!death->expect_usec)
				break;
			(void)restart_decide(&policy, death->exit_code, death->up_usec, &attempts,
					     &delay, &given);
			cr_expect_eq(given, death->expect_usec, "%s: death %ld: %lld",
				     c->restart ? c->restart : "(none)", (long)(death - c->deaths),
				     (long long)given);
		}
	}
}

Test(restart, delay_is_at_most_a_minute)
{
	struct service service = {.restart = (char *)"always"};
	struct restart_policy policy;
	unsigned int attempts = 0;
	int64_t delay = 0, given = 0;

	restart_policy_of(&service, &policy);
	for (int i = 0; i < 40; i++)
		cr_assert(restart_decide(&policy, 1, 0, &attempts, &delay, &given));
	cr_expect_eq(given, 60 * SEC);
}

Test(restart, deploy_wins_with_its_own_delay)
{
	struct service service = {.restart = (char *)"no"};
	struct restart_policy policy;
	unsigned int attempts = 0;
	int64_t delay = 0, given = 0;

	service.deploy.restart_policy.given = true;
	service.deploy.restart_policy.condition = (char *)"on-failure";
	service.deploy.restart_policy.delay = (struct optional_int){true, 3 * SEC};
	service.deploy.restart_policy.max_attempts = (struct optional_int){true, 2};
	restart_policy_of(&service, &policy);
	cr_expect(restart_decide(&policy, 1, 0, &attempts, &delay, &given));
	cr_expect(restart_decide(&policy, 1, 0, &attempts, &delay, &given));
	cr_expect_eq(given, 3 * SEC);
	cr_expect_not(restart_decide(&policy, 1, 0, &attempts, &delay, &given));
	cr_expect_not(restart_decide(&policy, 0, 0, &attempts, &delay, &given));
}
