// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <stdlib.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/path.h"

Test(path, clean)
{
	static const struct {
		const char *path, *expect;
	} cases[] = {
		{"/", "/"},      {"/a//b/", "/a/b"}, {"/a/../b", "/b"},
		{"/../..", "/"}, {"a/./b/..", "a"},  {"../a", "../a"},
		{"", "."},       {"a/..", "."},      {"../../x/..", "../.."},
	};

	array_foreach(c, cases) {
		char *clean = path_clean(c->path);

		cr_expect_str_eq(clean, c->expect, "%s gives %s", c->path, clean);
		free(clean);
	}
}

Test(path, clean_inside)
{
	static const struct {
		const char *path, *expect;
	} cases[] = {
		{"", ""},     {"/", ""},         {".", ""},        {"..", ""},
		{"a/..", ""}, {"/a//b/", "a/b"}, {"../../a", "a"}, {"a/../../b/./c", "b/c"},
	};

	array_foreach(c, cases) {
		char *clean = path_clean_inside(c->path);

		cr_expect_str_eq(clean, c->expect, "%s gives %s", c->path, clean);
		free(clean);
	}
}

Test(path, last)
{
	cr_expect_str_eq(path_last("/a/b"), "b");
	cr_expect_str_eq(path_last("b"), "b");
	cr_expect_str_eq(path_last("a/"), "");
}
