// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "common/json.h"
#include "common/str.h"

static int parse(const char *text, json_t **ret, struct error *err)
{
	return json_parse(text, strlen(text), ret, err);
}

Test(json, parse_refuses)
{
	static const char *const bad[] = {
		"",      "{",        "{\"a\":1,\"a\":2}", "[1,]", "nonsense", "{\"a\":\"\xff\"}",
		"{} {}", "\"bare\"", "{\"a\\u0000b\":1}",
	};
	_cleanup_strbuf_ struct strbuf deep = {0};
	struct error err = ERROR_INIT;
	json_t *json = NULL;

	array_foreach(text, bad) {
		cr_expect_eq(parse(*text, &json, &err), -EBADMSG, "%s", *text);
		cr_expect(str_starts_with(err.message, "line "), "%s", err.message);
	}
	for (int i = 0; i < 100000; i++)
		strbuf_addc(&deep, '[');
	cr_expect_eq(parse(deep.data, &json, &err), -EBADMSG);
	cr_expect_null(json);
}

Test(json, getters_have_defaults)
{
	_cleanup_json_ json_t *json = NULL;
	_cleanup_strv_ char **list = NULL;
	_cleanup_free_ char *joined = NULL;
	struct error err = ERROR_INIT;

	cr_assert_eq(parse("{\"s\":\"x\",\"i\":-7,\"b\":true,\"l\":[\"a\",1,\"b\"],\"e\":[]}",
			   &json, &err),
		     0);
	cr_expect_str_eq(json_get_string(json, "s"), "x");
	cr_expect_null(json_get_string(json, "i"));
	cr_expect_null(json_get_string(json, "none"));
	cr_expect_null(json_get_string(NULL, "s"));
	cr_expect_eq(json_get_int(json, "i", 5), -7);
	cr_expect_eq(json_get_int(json, "s", 5), 5);
	cr_expect(json_get_bool(json, "b", false));
	cr_expect(json_get_bool(json, "none", true));
	cr_expect_null(json_get_strv(json, "e"));
	cr_expect_null(json_get_strv(json, "s"));
	list = json_get_strv(json, "l");
	strv_append(&list, "c");
	joined = strv_join(list, " ");
	cr_expect_str_eq(joined, "a b c");
}

Test(json, text_keeps_or_sorts_the_keys)
{
	_cleanup_json_ json_t *json = json_object();
	_cleanup_free_ char *text = NULL, *sorted = NULL, *bare = NULL;
	_cleanup_strv_ char **list = strv_split("x y", " ");
	_cleanup_json_ json_t *number = json_integer(3);

	json_put_int(json, "z", 1);
	json_put_bool(json, "y", false);
	json_put_string(json, "absent", NULL);
	json_put_string(json, "a", "t");
	json_put_string(json, "broken",
			"a\xff"
			"b");
	json_object_set_new(json, "l", json_from_strv(list));
	text = json_text(json);
	sorted = json_text_sorted(json);
	bare = json_text(number);
	cr_expect_str_eq(
		text, "{\"z\":1,\"y\":false,\"a\":\"t\",\"broken\":\"a?b\",\"l\":[\"x\",\"y\"]}");
	cr_expect_str_eq(
		sorted, "{\"a\":\"t\",\"broken\":\"a?b\",\"l\":[\"x\",\"y\"],\"y\":false,\"z\":1}");
	cr_expect_str_eq(bare, "3");
}

Test(json, read_names_the_file)
{
	struct error err = ERROR_INIT;
	json_t *json = NULL;

	cr_expect_eq(json_read(AT_FDCWD, "/nowhere.json", 100, &json, &err), -ENOENT);
	cr_expect_eq(json_read(AT_FDCWD, "/proc/self/status", 10, &json, &err), -EFBIG);
	cr_expect_eq(json_read(AT_FDCWD, "/proc/self/status", 100000, &json, &err), -EBADMSG);
	cr_expect(str_starts_with(err.message, "/proc/self/status: line 1"), "%s", err.message);
}
