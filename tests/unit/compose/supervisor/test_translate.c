// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "compose/supervisor/translate/translate.h"

#define NET_ADMIN (UINT64_C(1) << 12)
#define CHOWN     (UINT64_C(1) << 0)

static const struct {
	const char *add, *drop;
	bool privileged;
	uint64_t has, has_not;
} capability_cases[] = {
	{NULL, NULL, false, CAPABILITY_MASK_DOCKER_DEFAULT, NET_ADMIN},
	{"NET_ADMIN", NULL, false, CHOWN | NET_ADMIN, 0},
	{"cap_net_admin", "ALL", false, NET_ADMIN, CHOWN},
	{"ALL", "CHOWN", false, NET_ADMIN, CHOWN},
	{NULL, "CAP_CHOWN", false, 0, CHOWN | NET_ADMIN},
	{NULL, "ALL", true, CHOWN | NET_ADMIN, 0},
};

Test(translate, capabilities)
{
	array_foreach(c, capability_cases) {
		char *add[] = {(char *)c->add, NULL}, *drop[] = {(char *)c->drop, NULL};
		struct service service = {
			.cap_add = add,
			.cap_drop = drop,
			.privileged = c->privileged ? TRI_TRUE : TRI_UNSET,
		};
		struct error err = ERROR_INIT;
		uint64_t mask = 0;

		cr_assert_eq(translate_capabilities(&service, &mask, &err), 0, "%s", err.message);
		cr_expect_eq(mask & c->has, c->has, "row %ld", (long)(c - capability_cases));
		cr_expect_eq(mask & c->has_not, 0, "row %ld", (long)(c - capability_cases));
	}
}

static char *const words_a[] = {(char *)"a", (char *)"b", NULL};
static char *const words_x[] = {(char *)"x", NULL};

/* Image: entrypoint "a b", command "x". */
static const struct {
	struct argv entrypoint, command;
	const char *expect;
} argument_cases[] = {
	{{0}, {0}, "a b x"},
	{{0}, {true, (char **)words_a}, "a b a b"},
	{{0}, {true, NULL}, "a b"},
	{{true, (char **)words_x}, {0}, "x"},
	{{true, NULL}, {true, (char **)words_a}, "a b"},
	{{true, NULL}, {0}, ""},
};

Test(translate, entrypoint_and_command)
{
	struct image image = {.entrypoint = (char **)words_a, .command = (char **)words_x};

	array_foreach(c, argument_cases) {
		struct service service = {.entrypoint = c->entrypoint, .command = c->command};
		_cleanup_strv_ char **words = translate_arguments(&service, &image);
		_cleanup_free_ char *text = strv_join(words, " ");

		cr_expect_str_eq(text ? text : "", c->expect);
	}
}
