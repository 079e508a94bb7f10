// SPDX-License-Identifier: GPL-2.0-or-later
/* Words and names of images, which `config` writes as they are, and what only looks like them. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "compose/model/emit.h"

static char *render(const char *word)
{
	_cleanup_json_ json_t *value = json_pack("{s:s}", "x-a", word);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	cr_assert(config_render_yaml(value, out) == 0);
	fclose(out);
	return text;
}

static void assert_quoted(const char *word, const char *quote)
{
	_cleanup_free_ char *text = render(word);
	_cleanup_free_ char *expect = str_printf("x-a: %s%s%s\n", quote, word, quote);

	cr_assert_str_eq(text, expect);
}

Test(emit_words, plain)
{
	static const char *const words[] = {"web",   "tmpfs", "o",      "oN",     "nul",  "a:b",
					    "a::b",  "a:b c", "/a",     "/a:/b",  "/",    "yess",
					    "true1", "a/b:1", "a-b_c=", "falsey", "nullx"};

	array_foreach(word, words)
		assert_quoted(*word, "");
}

Test(emit_words, of_yaml_itself)
{
	static const char *const words[] = {"y",    "N",    "yes",  "No",    "on",   "OFF",
					    "true", "True", "null", "False", "Null", "TRUE"};

	array_foreach(word, words)
		assert_quoted(*word, "\"");
}

Test(emit_words, with_a_meaning)
{
	static const char *const words[] = {"a:", "a:b:", "/a: b", "web #1"};

	array_foreach(word, words)
		assert_quoted(*word, "'");
}
