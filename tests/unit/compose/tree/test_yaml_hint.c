// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

#include "compose/tree/yaml.h"

/* What is likely wrong, in the error that the file gives; "" where nothing comes to mind. */
static const struct {
	const char *yaml, *hint;
} cases[] = {
	{"a:\n  b: 1\n   c: 2\n", "; it is indented deeper than line 2, which has a value already"},
	{"a:\n  b\n    c: 2\n", "; is a colon missing at the end of line 2?"},
	{"a:\n  b\n  c: 2\n", "; is a colon missing at the end of line 2?"},
	{"a:\n  b:x # no: this\n\n  c: 2\n", "; is a blank missing behind the colon in line 2?"},
	{"a:\n  b: c: d\n", "; a text with ': ' in it has to stand in quotes"},
	{"a:\n\tb: 1\n", "; tabs cannot indent, only blanks can"},
	{"a: @b\n", "; a text that begins with it has to stand in quotes"},
	{"a:\n    b: 1\n   c: 2\n", "; it is indented by 3, line 2 by 4"},
	{"a: \"b\nc: \"d\"\n", "; is the quote in line 1 closed?"},
	{"a: [b\nc: d\n", "; what opens in line 1 is not closed"},
	{"a:\n  b: 'c\n", "; what opens in line 2 is not closed"},
	{"a: *b\n", "there is no &b above it"},
};

Test(yaml_hint, texts)
{
	array_foreach(c, cases) {
		struct source *source = source_new("t.yaml", NULL);
		struct yaml_documents documents;
		struct error err = ERROR_INIT;

		source->text = alloc_string(c->yaml);
		source->size = strlen(c->yaml);
		cr_expect_lt(yaml_parse(source, &documents, &err), 0, "%s", c->yaml);
		cr_expect(str_ends_with(err.message, c->hint), "%s\ngives %s", c->yaml,
			  err.message);
		source_free(source);
	}
}
