// SPDX-License-Identifier: GPL-2.0-or-later
/* What `config` prints: the quotes, blocks and order of Go's yaml.v3, and of encoding/json. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "compose/model/emit.h"

static char *render(const char *json, int (*print)(const json_t *canonical, FILE *out))
{
	_cleanup_json_ json_t *value = json_loads(json, 0, NULL);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	cr_assert(value, "%s", json);
	cr_assert(print(value, out) == 0);
	fclose(out);
	return text;
}

static const struct {
	const char *text, *expect; /* as JSON, and behind "x-a:" */
} scalars[] = {
	{"plain words", " plain words"},
	{"", " \"\""},
	{"yes", " \"yes\""},
	{"Off", " \"Off\""},
	{"n", " \"n\""},
	{"true", " \"true\""},
	{"null", " \"null\""},
	{"~", " \"~\""},
	{"<<", " \"<<\""},
	{"1", " \"1\""},
	{"1.5", " \"1.5\""},
	{"0x1F", " \"0x1F\""},
	{"1_000", " \"1_000\""},
	{"1e3", " \"1e3\""},
	{".5", " \".5\""},
	{".inf", " \".inf\""},
	{"1.2.3", " 1.2.3"},
	{"10:20", " \"10:20\""},
	{"10:80", " 10:80"},
	{"2001-12-14", " \"2001-12-14\""},
	{"a: b", " 'a: b'"},
	{"a:b", " a:b"},
	{"a:", " 'a:'"},
	{"a #b", " 'a #b'"},
	{"a#b", " a#b"},
	{"- x", " '- x'"},
	{"-x", " -x"},
	{"-", " '-'"},
	{"? x", " '? x'"},
	{"*x", " '*x'"},
	{"&x", " '&x'"},
	{"!x", " '!x'"},
	{"%x", " '%x'"},
	{"@x", " '@x'"},
	{"`x", " '`x'"},
	{"[x]", " '[x]'"},
	{"{x}", " '{x}'"},
	{"a[x], {y}", " a[x], {y}"},
	{"it's", " it's"},
	{"'it''s", " '''it''''s'"},
	{"\\\"q\\\"", " '\"q\"'"},
	{"a\\\\b", " a\\b"},
	{" lead", " ' lead'"},
	{"trail ", " 'trail '"},
	{"---", " '---'"},
	{"--- a", " '--- a'"},
	{"a\\tb", " \"a\\tb\""},
	{"\\u0001", " \"\\x01\""},
	{"\\u0085", " \"\\N\""},
	{"\\u00e9", " \xc3\xa9"},
	{"\\ufeffx", " \"\\uFEFFx\""},
	{"\\ud83d\\ude00 x", " \"\\U0001F600 x\""},
	{"$x", " $$x"},
	{"a\\nb", " |-\n  a\n  b"},
	{"a\\nb\\n", " |\n  a\n  b"},
	{"a\\n\\n", " |+\n  a\n"},
	{"a\\n\\nb\\n", " |\n  a\n\n  b"},
	{" a\\nb\\n", " |2\n   a\n  b"},
	{"a\\n\\tb\\n", " |\n  a\n  \tb"},
	{"a \\nb\\n", " \"a \\nb\\n\""},
	{"a\\nb ", " \"a\\nb \""},
	{"a\\n\\u0007b", " \"a\\n\\ab\""},
};

Test(emit, scalars)
{
	array_foreach(c, scalars) {
		_cleanup_free_ char *json = str_printf("{\"x-a\": \"%s\"}", c->text);
		_cleanup_free_ char *expect = str_printf("x-a:%s\n", c->expect);
		_cleanup_free_ char *text = render(json, config_render_yaml);

		cr_expect_str_eq(text, expect, "%s", c->text);
	}
}

static const struct {
	const char *json, *expect;
} trees[] = {
	{"{\"services\": {\"web10\": {\"b\": 1, \"a\": null}, \"web2\": {}}, \"name\": \"p\"}",
	 "name: p\nservices:\n  web2: {}\n  web10:\n    b: 1\n    a: null\n"},
	{"{\"x-a\": {\"A1\": 1, \"A10\": 2, \"A2\": 3, \"DBNAME\": 4, \"DB_HOST\": 5, \"a\": 6}}",
	 "x-a:\n  A1: 1\n  A2: 3\n  A10: 2\n  DB_HOST: 5\n  DBNAME: 4\n  a: 6\n"},
	{"{\"x-a\": {\"a01\": 1, \"a1\": 2, \"a10b\": 4, \"a1b\": 3}}",
	 "x-a:\n  a1: 2\n  a1b: 3\n  a01: 1\n  a10b: 4\n"},
	{"{\"x-a\": [1, [2, []], {\"k\": [3], \"l\": {}}]}",
	 "x-a:\n  - 1\n  - - 2\n    - []\n  - k:\n      - 3\n    l: {}\n"},
	{"{\"x-a\": {\"\": 1, \"a b\": 2, \"c: d\": 3, \"n\": 4}}",
	 "x-a:\n  \"\": 1\n  a b: 2\n  'c: d': 3\n  \"n\": 4\n"},
	{"{\"x-a\": [0.5, 2.0, true, 9007199254740993]}",
	 "x-a:\n  - 0.5\n  - 2\n  - true\n  - 9007199254740993\n"},
	{"{\"services\": {\"a\": {\"z\": 1, \"b\": 2, \"x-b10\": 3, \"x-b2\": 4}}}",
	 "services:\n  a:\n    z: 1\n    b: 2\n    x-b2: 4\n    x-b10: 3\n"},
};

Test(emit, trees)
{
	array_foreach(c, trees) {
		_cleanup_free_ char *text = render(c->json, config_render_yaml);

		cr_expect_str_eq(text, c->expect, "%s", c->json);
	}
}

Test(emit, json_escapes)
{
	_cleanup_free_ char *text = render(
		"{\"b\": \"<&>\\u2028\\\"\\\\\\n\\t\\u0001 $x \\u00e9\", \"a\": [], \"c\": {}}",
		config_render_json);

	cr_expect_str_eq(text, "{\n  \"b\": \"\\u003c\\u0026\\u003e\\u2028\\\"\\\\\\n\\t\\u0001 "
			       "$$x \xc3\xa9\",\n  \"a\": [],\n  \"c\": {}\n}\n");
}
