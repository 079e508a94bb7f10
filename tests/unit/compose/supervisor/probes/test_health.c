// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>

#include "common/cleanup.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/supervisor/probes/health.h"

static char *const shell_test[] = {(char *)"CMD-SHELL", (char *)"true && true", NULL};
static char *const none_test[] = {(char *)"NONE", NULL};
static char *const plain_test[] = {(char *)"CMD", (char *)"check", (char *)"-q", NULL};

static const struct {
	char *const *of_service, *const *of_image;
	bool disable;
	const char *expect; /* "": no check */
} cases[] = {
	{NULL, NULL, false, ""},
	{shell_test, NULL, false, "/bin/sh|-c|true && true"},
	{plain_test, shell_test, false, "check|-q"},
	{NULL, shell_test, false, "/bin/sh|-c|true && true"},
	{none_test, shell_test, false, ""},
	{NULL, shell_test, true, ""},
};

Test(health, whose_check_and_what_words)
{
	array_foreach(c, cases) {
		struct service service = {.healthcheck.disable = c->disable};
		struct image image = {.healthcheck.test = (char **)c->of_image};
		_cleanup_free_ char *text = NULL;
		struct health_plan plan;

		service.healthcheck.test.set = c->of_service != NULL;
		service.healthcheck.test.args = (char **)c->of_service;
		health_plan_of(&service, &image, &plan);
		text = strv_join(plan.test, "|");
		cr_expect_str_eq(text ? text : "", c->expect);
		health_plan_done(&plan);
	}
}

Test(health, each_field_falls_back_to_the_image_and_then_to_docker)
{
	struct service service = {0};
	struct image image = {.healthcheck = {.test = (char **)shell_test,
					      .timeout_usec = 7 * (int64_t)USEC_PER_SEC}};
	struct health_plan plan;

	service.healthcheck.interval = (struct optional_int){true, 2 * (int64_t)USEC_PER_SEC};
	health_plan_of(&service, &image, &plan);
	cr_expect_eq(plan.interval_usec, 2 * (int64_t)USEC_PER_SEC);
	cr_expect_eq(plan.timeout_usec, 7 * (int64_t)USEC_PER_SEC);
	cr_expect_eq(plan.start_period_usec, 0);
	cr_expect_eq(plan.start_interval_usec, 5 * (int64_t)USEC_PER_SEC);
	cr_expect_eq(plan.retries, 3);
	health_plan_done(&plan);
}
