// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>

#include "common/str.h"

#include "compose/cli/rootless/rootless.h"

static const struct {
	const char *text, *words;
} cases[] = {
	{"alice:100000:65536\n", "0 1000 1 1 100000 65536"},
	{"# comment\nbob:1:2\nalice:100000:10\n1000:300000:5", "0 1000 1 1 100000 10 11 300000 5"},
	{"alice:100000:65536 \n", "0 1000 1 1 100000 65536"},
	{"alicea:100000:65536\n10000:5:6\n", NULL},
	{"alice:100000\nalice::5\nalice:1:0\nalice:x:1\nalice:1:x\n:1:1\n", NULL},
	{"alice:4294967295:1\nalice:4294967000:4294967295\n", NULL},
	{"alice:99999999999999999999:65536\n", NULL},
	{"", NULL},
};

Test(rootless, ranges_of_ids)
{
	array_foreach(c, cases) {
		_cleanup_strv_ char **words = rootless_map_words(c->text, "alice", 1000);
		_cleanup_free_ char *joined = words ? strv_join(words, " ") : NULL;

		cr_expect(str_equal(joined, c->words), "%s: %s", c->text, joined);
	}
}
