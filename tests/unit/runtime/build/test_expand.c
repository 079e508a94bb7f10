// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"

#include "runtime/build/expand.h"

static const char *lookup(void *data, const char *name)
{
	static const char *const values[][2] = {{"A", "alpha"},
						{"EMPTY", ""},
						{"F", "foo/bar/baz.tar.gz"},
						{"TWO", "x  y"},
						{"1", "one"}};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		if (!strcmp(values[i][0], name))
			return values[i][1];
	return NULL;
}

static char *expand(const char *word)
{
	const struct expansion with = {.lookup = lookup, .escape = '\\'};
	struct error err = ERROR_INIT;
	char *out;

	return expand_word(&with, word, &out, &err) < 0 ? str_printf("!%s", err.message) : out;
}

static const struct {
	const char *word, *expect;
} cases[] = {
	{"$A", "alpha"},
	{"${A}b$A/c", "alphab"
		      "alpha/c"},
	{"$NONE.", "."},
	{"'$A'", "$A"},
	{"\"$A \\\" \\x\"", "alpha \" \\x"},
	{"\\$A\\ b", "$A b"},
	{"${A:-no}${NONE:-yes}${EMPTY:-yes}${EMPTY-no}", "alphayesyes"},
	{"${A:+set}${NONE:+no}${EMPTY:+no}${EMPTY+set}", "setset"},
	{"${NONE:-$A/${EMPTY:-'x y'}}", "alpha/x y"},
	{"${F#*/}", "bar/baz.tar.gz"},
	{"${F##*/}", "baz.tar.gz"},
	{"${F%.*}", "foo/bar/baz.tar"},
	{"${F%%.*}", "foo/bar/baz"},
	{"${F/ba/X}", "foo/Xr/baz.tar.gz"},
	{"${F//ba?/X}", "foo/X/X.tar.gz"},
	{"${F//\\//_}", "foo_bar_baz.tar.gz"},
	{"${F/foo\\/}", "bar/baz.tar.gz"},
	{"$", "$"},
	{"a$ b", "a$ b"},
	{"$1$", "one$"},
	{"${NONE:?is needed}", "!NONE: is needed"},
	{"${A", "!'${' without its '}'"},
	{"${A:x}", "!${A:x}...}: no such modifier"},
	{"${}", "!'${}': not a variable's name"},
	{"'x", "!a ' is not closed"},
};

Test(expand, words)
{
	array_foreach(c, cases) {
		_cleanup_free_ char *got = expand(c->word);

		cr_expect_str_eq(got, c->expect, "%s", c->word);
	}
}

Test(expand, splits_at_blanks_that_are_not_quoted)
{
	const struct expansion with = {.lookup = lookup, .escape = '\\'};
	_cleanup_strv_ char **words = NULL;
	_cleanup_free_ char *joined = NULL;
	struct error err = ERROR_INIT;

	cr_assert(expand_words(&with, "a$TWO \"$TWO\" $NONE 'q r' ''", &words, &err) == 0);
	joined = strv_join(words, "|");
	cr_expect_str_eq(joined, "ax|y|x  y|q r|");
}

Test(expand, a_heredoc_knows_no_quotes)
{
	const struct expansion with = {.lookup = lookup, .escape = '\\', .raw_quotes = true};
	_cleanup_free_ char *out = NULL;
	struct error err = ERROR_INIT;

	cr_assert(expand_word(&with, "it's \"$A\" \\$A ${NONE:-'x'} \\n\n", &out, &err) == 0);
	cr_expect_str_eq(out, "it's \"alpha\" $A 'x' \\n\n");
}
