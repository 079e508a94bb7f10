// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <string.h>

#include "common/cleanup.h"

#include "compose/cli/args/detach_keys.h"

Test(detach_keys, what_is_typed_goes_on_unless_it_is_the_sequence)
{
	static const struct {
		const char *keys, *typed, *expect;
		bool detached;
	} cases[] = {
		{NULL, "ls\n", "ls\n", false},   {NULL, "a\x10\x11", "a", true},
		{NULL, "\x10x", "\x10x", false}, {NULL, "\x10\x10\x11", "\x10", true},
		{"ctrl-@,a", "a", "a", false},   {"a", "xa", "x", true},
		{"ctrl-],q", "\x1dq", "", true},
	};

	array_foreach(c, cases) {
		struct detach_keys keys;
		struct error err = ERROR_INIT;
		struct strbuf out = {0};
		bool detached;

		cr_assert_eq(detach_keys_parse(c->keys, &keys, &err), 0);
		detached = detach_keys_filter(&keys, c->typed, strlen(c->typed), &out);
		cr_expect_eq(detached, c->detached, "%s", c->typed);
		cr_expect_str_eq(out.data ? out.data : "", c->expect, "%s", c->typed);
		strbuf_done(&out);
	}
}

Test(detach_keys, over_several_reads)
{
	struct detach_keys keys;
	struct error err = ERROR_INIT;
	struct strbuf out = {0};

	cr_assert_eq(detach_keys_parse(NULL, &keys, &err), 0);
	cr_expect_not(detach_keys_filter(&keys, "\x10", 1, &out));
	cr_expect(detach_keys_filter(&keys, "\x11", 1, &out));
	cr_expect_lt(detach_keys_parse("ctrl-", &keys, &err), 0);
	cr_expect_lt(detach_keys_parse("shift-a", &keys, &err), 0);
	strbuf_done(&out);
}
