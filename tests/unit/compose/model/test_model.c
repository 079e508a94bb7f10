// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"

#include "compose/model/emit.h"
#include "compose/model/shapes.h"

/* Pairs of services that are one and the same container, and pairs that are not. */
static const struct {
	const char *before, *after;
	bool same;
} fixed[] = {
	{"'image': 'i'", "'image': 'j'", false},
	{"'image': 'i'", "'image': 'i', 'labels': {'a': 'b'}", true},
	{"'image': 'i', 'mem_limit': '1000000'", "'image': 'i', 'cpus': 1", true},
	{"'image': 'i'", "'image': 'i', 'cpuset': '0'", false},
	{"'image': 'i'", "'image': 'i', 'deploy': {'resources': {'limits': {'pids': 3}}}", true},
	{"'image': 'i'",
	 "'image': 'i', 'deploy': {'resources': {'reservations': {'memory': '1000000'}}}", true},
	{"'image': 'i'",
	 "'image': 'i', 'deploy': {'resources': {'reservations': {'devices': "
	 "[{'capabilities': ['gpu']}]}}}",
	 false},
	{"'image': 'i'",
	 "'image': 'i', 'restart': 'always', 'healthcheck': {'test': ['CMD', 'x']}, "
	 "'logging': {'driver': 'none'}, 'ports': [{'target': 80}]",
	 true},
	{"'image': 'i'", "'image': 'i', 'x-berth': {'probe': {'tcp': 1}}", true},
	{"'image': 'i'", "'image': 'i', 'x-berth': {'probe': {'notify': true}}", false},
	{"'image': 'i'", "'image': 'i', 'x-other': 1", true},
};

static void hashes_of(const char *service, char hash[65], char ret_fixed[65])
{
	_cleanup_free_ char *text =
		str_printf("{\"name\": \"p\", \"services\": {\"a\": {%s}}}", service);
	_cleanup_json_ json_t *json = NULL;
	struct project *project = NULL;
	struct error err = ERROR_INIT;

	for (char *c = text; *c; c++)
		if (*c == '\'')
			*c = '"';
	cr_assert_geq(json_parse(text, strlen(text), &json, &err), 0, "%s", err.message);
	cr_assert_geq(project_from_json(json, &project, &err), 0, "%s: %s", text, err.message);
	service_hash(project, project_service(project, "a"), hash);
	service_fixed_hash(project, project_service(project, "a"), ret_fixed);
	project_free(project);
}

Test(model, what_needs_a_new_container)
{
	array_foreach(pair, fixed) {
		char hash[2][65], fixed_hash[2][65];

		hashes_of(pair->before, hash[0], fixed_hash[0]);
		hashes_of(pair->after, hash[1], fixed_hash[1]);
		cr_expect_eq(strcmp(fixed_hash[0], fixed_hash[1]) == 0, pair->same, "%s",
			     pair->after);
		cr_expect(strcmp(hash[0], hash[1]) != 0 || strstr(pair->after, "x-other"), "%s",
			  pair->after);
	}
}

Test(argv, words_of_a_command_line)
{
	static const struct {
		const char *line, *expect;
	} cases[] = {
		{"", ""},
		{"  a  b\tc\n", "a|b|c"},
		{"sh -c 'a \"b\" $c'", "sh|-c|a \"b\" $c"},
		{"\"a \\\"b\\\" \\$c \\d\"", "a \"b\" $c \\d"},
		{"a\\ b 'c'\"d\"e", "a b|cde"},
		{"'' \"\"", "|"},
		{"a 'b", NULL},
		{"a;b && c", "a;b|&&|c"},
	};

	array_foreach(c, cases) {
		char **words = NULL;
		char *joined;
		int r = argv_split(c->line, &words);

		joined = strv_join(words, "|");
		if (c->expect)
			cr_expect_str_eq(joined, c->expect, "%s", c->line);
		else
			cr_expect(r < 0, "%s", c->line);
		free(joined);
		strv_free(words);
	}
}

static struct project *project_of(const char *text)
{
	struct project *project = NULL;
	struct error err = ERROR_INIT;
	json_t *json = NULL;

	cr_assert(json_parse(text, strlen(text), &json, &err) == 0, "%s", err.message);
	cr_assert(project_from_json(json, &project, &err) == 0, "%s", err.message);
	json_decref(json);
	return project;
}

#define A_SERVICE(more) "{\"name\": \"p\", \"services\": {\"a\": {\"image\": \"x\"" more "}}}"

static void hash_of(const char *text, char hash[65])
{
	struct project *project = project_of(text);

	service_hash(project, project_service(project, "a"), hash);
	project_free(project);
}

Test(change, hash)
{
	static const struct {
		const char *text;
		bool same;
	} cases[] = {
		{A_SERVICE(", \"command\": null"), true},
		{A_SERVICE(", \"scale\": 5"), true},
		{A_SERVICE(", \"deploy\": {\"replicas\": 3}"), true},
		{A_SERVICE(", \"profiles\": [\"x\"]"), true},
		{A_SERVICE(", \"pull_policy\": \"always\""), true},
		{A_SERVICE(", \"x-y\": 1"), true},
		{A_SERVICE(", \"deploy\": {\"resources\": {\"x-y\": 1}}"), true},
		{A_SERVICE(", \"labels\": {\"x-y\": \"1\"}"), false},
		{A_SERVICE(", \"deploy\": {\"resources\": {\"limits\": {\"pids\": 3}}}"), false},
		{A_SERVICE(", \"command\": []"), false},
		{A_SERVICE(", \"ports\": [{\"target\": 80}]"), false},
		{A_SERVICE(", \"environment\": {\"A\": null}"), false},
	};
	char plain[65], other[65];

	hash_of(A_SERVICE(""), plain);
	array_foreach(c, cases) {
		hash_of(c->text, other);
		cr_expect_eq(!strcmp(plain, other), c->same, "%s", c->text);
	}
}

Test(change, content_of_configs_counts)
{
	char one[65], two[65];

#define WITH_CONTENT(text)                                                                \
	"{\"name\": \"p\", \"services\": {\"a\": {\"configs\": [{\"source\": \"c\"}]}}, " \
	"\"configs\": {\"c\": {\"content\": \"" text "\"}}}"
	hash_of(WITH_CONTENT("1"), one);
	hash_of(WITH_CONTENT("2"), two);
	cr_expect_str_neq(one, two);
}

Test(change, difference)
{
	static const struct {
		const char *before, *after, *expect;
	} cases[] = {
		{"{\"image\": \"a\"}", "{\"image\": \"a\", \"command\": null}", ""},
		{"{\"image\": \"a\", \"tty\": true}", "{\"image\": \"b\"}", "image, tty"},
		{"{\"scale\": 1}", "{\"scale\": 2}", ""},
		{"{}", "{\"deploy\": {\"replicas\": 2, \"placement\": {}}}", ""},
		{"{}", "{\"ports\": [], \"healthcheck\": {}}", "healthcheck, ports"},
	};

	array_foreach(c, cases) {
		json_t *before = json_loads(c->before, 0, NULL);
		json_t *after = json_loads(c->after, 0, NULL);
		char *actual = service_difference(before, after);

		cr_expect_str_eq(actual, c->expect);
		free(actual);
		json_decref(before);
		json_decref(after);
	}
}

Test(project, from_json_is_strict)
{
	static const struct {
		const char *json, *expect;
	} cases[] = {
		{"[]", "project: is not a JSON object, or too deep"},
		{"{}", "project: has no name"},
		{"{\"name\": \"p\", \"servces\": {}}",
		 "additional properties 'servces' not allowed; did you mean 'services'?"},
		{A_SERVICE(", \"user\": 5"), "services.a.user must be a string: put 5 in quotes"},
		{A_SERVICE(", \"ports\": [{\"target\": 0}]"),
		 "services.a.ports.0.target must be a port, between 1 and 65535"},
		{"{\"name\": \"p\", \"networks\": {\"n\": {}}}", "networks.n: has no name"},
		{"{\"name\": \"p\", \"services\": {\"../a\": {}}}",
		 "services additional properties '../a' not allowed: a name is made of "
		 "letters, digits, '.', '_' and '-'"},
	};

	array_foreach(c, cases) {
		struct project *project = NULL;
		struct error err = ERROR_INIT;
		json_t *json = json_loads(c->json, 0, NULL);

		cr_expect(project_from_json(json, &project, &err) < 0, "%s", c->json);
		cr_expect_str_eq(err.message, c->expect);
		json_decref(json);
		project_free(project);
	}
}

Test(project, lookups)
{
	struct project *p = project_of("{\"name\": \"p\", \"services\": {\"a\": {}, \"b\": {}, "
				       "\"c\": {\"deploy\": {\"replicas\": 3}}}, "
				       "\"networks\": {\"n\": {\"name\": \"p_n\"}}}");

	cr_expect_str_eq(project_service(p, "b")->name, "b");
	cr_expect_null(project_service(p, "d"));
	cr_expect_str_eq(project_network(p, "n")->name, "p_n");
	cr_expect_null(project_volume(p, "n"));
	cr_expect_eq(service_replicas(project_service(p, "c")), 3);
	cr_expect_eq(service_replicas(project_service(p, "a")), 1);
	project_free(p);
}

/* Each as the value of x-a: what yaml.v3 would put in quotes, and in which. */
Test(emit, yaml_texts)
{
	static const struct {
		const char *text, *expect;
	} cases[] = {
		{"plain", "plain"},
		{"", "\"\""},
		{"yes", "\"yes\""},
		{"1", "\"1\""},
		{"1.5", "\"1.5\""},
		{"null", "\"null\""},
		{"0x1f", "\"0x1f\""},
		{"1:30", "\"1:30\""},
		{"80:80", "80:80"},
		{"a: b", "'a: b'"},
		{"a:b", "a:b"},
		{"#x", "'#x'"},
		{"a #b", "'a #b'"},
		{"a#b", "a#b"},
		{"- a", "'- a'"},
		{"-a", "-a"},
		{"*x", "'*x'"},
		{"it's", "it's"},
		{"'x", "'''x'"},
		{" x", "' x'"},
		{"$A", "$$A"},
		{"a\tb", "\"a\\tb\""},
		{"2001-12-14", "\"2001-12-14\""},
		{"a\nb\n", "|\n  a\n  b"},
		{"a\nb", "|-\n  a\n  b"},
		{"{a}", "'{a}'"},
	};

	array_foreach(c, cases) {
		json_t *json = json_pack("{s:s}", "x-a", c->text);
		char *text = NULL, *expect = str_printf("x-a: %s\n", c->expect);
		size_t size = 0;
		FILE *out = open_memstream(&text, &size);

		cr_assert(config_render_yaml(json, out) == 0);
		fclose(out);
		cr_expect_str_eq(text, expect);
		free(text);
		free(expect);
		json_decref(json);
	}
}
