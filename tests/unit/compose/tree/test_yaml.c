// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/tree/json_node.h"
#include "compose/tree/yaml.h"

/* The documents as JSON, one a line, or the error as the user reads it. */
static char *parsed(const char *text)
{
	struct source *source = source_new("t.yaml", NULL);
	struct yaml_documents documents;
	struct error err = ERROR_INIT;
	struct strbuf out = {0};
	char line[ERROR_TEXT_MAX];

	source->text = alloc_string(text);
	source->size = strlen(text);
	if (yaml_parse(source, &documents, &err) < 0) {
		strbuf_add(&out, error_text(&err, line, sizeof(line)));
	} else {
		for (size_t i = 0; i < documents.count; i++) {
			json_t *json = node_to_json(documents.items[i]);
			char *dump = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT |
							      JSON_REAL_PRECISION(15));

			strbuf_addf(&out, "%s%s", i ? "\n" : "", dump);
			free(dump);
			json_decref(json);
		}
		yaml_documents_done(&documents);
	}
	source_free(source);
	return strbuf_take(&out);
}

static const struct {
	const char *yaml, *expect;
} cases[] = {
	{"[1, -1, +1, 0x10, 0o17, 017, 0b101, 1_000]", "[1,-1,1,16,15,15,5,1000]"},
	{"[1.5, .5, 1e3, 1., -2.5e-1]", "[1.5,0.5,1000.0,1.0,-0.25]"},
	{"[true, True, TRUE, false]", "[true,true,true,false]"},
	{"[yes, no, on, off, y, n]", "[\"yes\",\"no\",\"on\",\"off\",\"y\",\"n\"]"},
	{"[~, null, Null, , x]", "t.yaml:1:17: yaml: line 1: while parsing a flow node, did not "
				 "find expected node content"},
	{"[~, null, NULL]", "[null,null,null]"},
	{"['1', \"true\", !!str 1, ! 2]", "[\"1\",\"true\",\"1\",\"2\"]"},
	{"[22:22, 1.2.3, 0x, 08, 1e, '']", "[\"22:22\",\"1.2.3\",\"0x\",8.0,\"1e\",\"\"]"},
	{"a: &x {b: 1}\nc: *x", "{\"a\":{\"b\":1},\"c\":{\"b\":1}}"},
	{"a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}",
	 "{\"a\":{\"b\":1,\"c\":2},\"d\":{\"c\":3,\"b\":1}}"},
	{"a: &x {b: 1}\ne: &y {b: 2, c: 2}\nd: {<<: [*x, *y]}",
	 "{\"a\":{\"b\":1},\"e\":{\"b\":2,\"c\":2},\"d\":{\"b\":1,\"c\":2}}"},
	{"&k a: 1\nb: *k", "{\"a\":1,\"b\":\"a\"}"},
	{"a: 1\n---\n---\nb: 2\n...\n", "{\"a\":1}\n{\"b\":2}"},
	{"a: 1\nb: 2\na: 3",
	 "t.yaml:3:1: yaml: line 3: mapping key \"a\" already defined at line 1"},
	{"a: *b", "t.yaml:1:4: yaml: unknown anchor 'b' referenced: there is no &b above it"},
	{"a: &a {b: *a}", "t.yaml:1:11: yaml: anchor 'a' value contains itself"},
	{"{[a]: b}", "t.yaml:1:2: yaml: a key must be a string, not a list"},
	{"a: \"\\0\"", "t.yaml:1:4: yaml: control characters are not allowed"},
	{"<<: 5", "t.yaml:1:5: yaml: map merge requires map or sequence of maps as the value"},
	{"", ""},
	{"# only\n", ""},
};

Test(yaml, documents)
{
	array_foreach(c, cases) {
		char *actual = parsed(c->yaml);

		cr_expect_str_eq(actual, c->expect, "%s\ngives    %s\nand not  %s", c->yaml, actual,
				 c->expect);
		free(actual);
	}
}

Test(yaml, bounds)
{
	struct strbuf text = {0};
	char *actual;

	for (int i = 0; i < 50000; i++)
		strbuf_addc(&text, '[');
	actual = parsed(text.data);
	cr_expect_str_eq(actual, "t.yaml:1:101: yaml: nested deeper than 100 levels");
	free(actual);
	text.length = 0;
	strbuf_add(&text, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 12; i++) {
		strbuf_addf(&text, "a%d: &a%d [", i, i);
		for (int n = 0; n < 10; n++)
			strbuf_addf(&text, "*a%d,", i - 1);
		strbuf_add(&text, "]\n");
	}
	actual = parsed(text.data);
	cr_expect(strstr(actual, "excessive aliasing"), "%s", actual);
	free(actual);
	strbuf_done(&text);
}

Test(yaml, number_format)
{
	static const struct {
		double number;
		const char *expect, *json;
	} numbers[] = {
		{0, "0", "0"},
		{1, "1", "1"},
		{-0.5, "-0.5", "-0.5"},
		{1e3, "1000", "1000"},
		{0.1, "0.1", "0.1"},
		{999999, "999999", "999999"},
		{1e6, "1e+06", "1000000"},
		{1234567.5, "1.2345675e+06", "1234567.5"},
		{1e20, "1e+20", "100000000000000000000"},
		{1e21, "1e+21", "1e+21"},
		{1e-4, "0.0001", "0.0001"},
		{1e-5, "1e-05", "0.00001"},
		{1e-7, "1e-07", "1e-7"},
		{1234.5678, "1234.5678", "1234.5678"},
		{18446744073709551616.0, "1.8446744073709552e+19", "18446744073709552000"},
	};

	array_foreach(n, numbers) {
		char text[400];

		node_format_number(n->number, text, sizeof(text));
		cr_expect_str_eq(text, n->expect);
		node_format_json(n->number, text, sizeof(text));
		cr_expect_str_eq(text, n->json);
	}
}
