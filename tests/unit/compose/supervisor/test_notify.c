// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>

#include "common/alloc.h"
#include "common/cleanup.h"

#include "compose/supervisor/notify.h"

Test(notify, status)
{
	static const struct {
		size_t well, all;
		char *waited[6], *unwell[6];
		const char *expect;
	} cases[] = {
		{0, 0, {NULL}, {NULL}, "no containers"},
		{5, 5, {NULL}, {NULL}, "5 of 5 healthy"},
		{3, 5, {"db", NULL}, {"db starting", NULL}, "3 of 5 healthy, waiting for db"},
		{1,
		 5,
		 {"a", "b", "c", "d", "e"},
		 {NULL},
		 "1 of 5 healthy, waiting for a, b, c and 2 more"},
		{4, 5, {NULL}, {"db unhealthy", NULL}, "4 of 5 healthy: db unhealthy"},
	};

	array_foreach(c, cases) {
		_cleanup_free_ char *text = notify_status(c->well, c->all, (char *const *)c->waited,
							  (char *const *)c->unwell);

		cr_expect_str_eq(text, c->expect);
	}
}
