// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <string.h>

#include "common/cleanup.h"

#include "runtime/build/ignore.h"

static const struct {
	const char *patterns, *path;
	bool ignored;
} cases[] = {
	{"a", "a", true},
	{"a", "a/b/c", true}, /* a folder above it */
	{"a", "b/a", false},  /* from the context's root */
	{"**/a", "b/c/a", true},
	{"**/a", "a", true},
	{"**/a", "xa", false},
	{"**", "any/thing", true},
	{"a/**", "a/b", true},
	{"a/**", "a", false},
	{"a/**/b", "a/b", true},
	{"a/**/b", "a/x/y/b", true},
	{"*.md", "x.md", true},
	{"*.md", "d/x.md", false},
	{"**/*.md", "d/e/x.md", true},
	{"*/temp*", "d/temporary.txt", true},
	{"*/*/temp*", "d/temporary.txt", false},
	{"temp?", "tempa", true},
	{"temp?", "temp", false},
	{"temp?", "temp/", false},
	{"*.md\n!README.md", "README.md", false},
	{"*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true},
	{"*.md\nREADME-secret.md\n!README*.md", "README-secret.md", false},
	{"a\n!a/b", "a/b/c", false},
	{"a\n!a/b", "a/c", true},
	{"*\n!src", "src/x", false},
	{"/a/", "a", true},
	{"./a/../b", "b", true},
	{"# a\n  b  \n\n", "b", true},
	{"#a", "#a", false},
	{"\\#a", "#a", true},
	{"[a-c]x", "bx", true},
	{"[^a-c]x", "bx", false},
	{"[^a-c]x", "dx", true},
	{"a[*]b", "a*b", true},
	{"a[*]b", "axb", false},
	{"\\*", "*", true},
	{"\\*", "x", false},
	{"a.b", "axb", false},
	{"a$b+(c)", "a$b+(c)", true},
	{"\xef\xbb\xbf"
	 "a",
	 "a", true},
	{"a\r\nb\r\n", "a", true},
	{"**/*/**/*/**/*/**/x", "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w", false},
};

Test(ignore, the_last_match_decides)
{
	array_foreach(c, cases) {
		struct ignore ignore;
		struct error err = ERROR_INIT;

		cr_assert(ignore_parse("f", c->patterns, strlen(c->patterns), &ignore, &err) == 0);
		cr_expect_eq(ignore_matches(&ignore, c->path, NULL), c->ignored, "%s: %s",
			     c->patterns, c->path);
		ignore_done(&ignore);
	}
}

Test(ignore, a_folder_is_skipped_unless_something_may_come_back)
{
	static const struct {
		const char *patterns, *folder;
		bool prunes;
	} rows[] = {
		{"node_modules", "node_modules", true},
		{"*\n!src/a", "node_modules", true},
		{"*\n!src/a", "src", false},
		{"*\n!src/a/b", "src/a", false},
		{"*\n!**/keep", "node_modules", false},
		{"*\n!srcx", "src", true},
		{"a\n!a", "a", false},
		{"x", "a", false},
	};

	array_foreach(row, rows) {
		struct ignore ignore;
		struct error err = ERROR_INIT;

		cr_assert(ignore_parse("f", row->patterns, strlen(row->patterns), &ignore, &err) ==
			  0);
		cr_expect_eq(ignore_prunes(&ignore, row->folder), row->prunes, "%s: %s",
			     row->patterns, row->folder);
		ignore_done(&ignore);
	}
}

Test(ignore, errors_and_the_rule_that_hid_a_file)
{
	const struct ignore_pattern *by = NULL;
	struct error err = ERROR_INIT;
	struct ignore ignore;

	cr_expect(ignore_parse(".dockerignore", "ok\n[a\n", 6, &ignore, &err) < 0);
	cr_expect_str_eq(err.where, ".dockerignore:2");
	err = ERROR_INIT;
	cr_expect(ignore_parse("f", "!\n", 2, &ignore, &err) < 0);
	err = ERROR_INIT;
	cr_assert(ignore_parse("f", "x\n*.log\n", 8, &ignore, &err) == 0);
	cr_assert(ignore_matches(&ignore, "a.log", &by));
	cr_expect_eq(by->line, 2);
	cr_expect_str_eq(by->original, "*.log");
	ignore_done(&ignore);
}
