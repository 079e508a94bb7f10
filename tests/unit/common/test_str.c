// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

Test(str, comparisons)
{
	cr_expect(str_equal("a", "a"));
	cr_expect(str_equal(NULL, NULL));
	cr_expect_not(str_equal("a", NULL));
	cr_expect_not(str_equal(NULL, ""));
	cr_expect(str_starts_with("compose", "comp"));
	cr_expect(str_starts_with("compose", ""));
	cr_expect_not(str_starts_with("com", "compose"));
	cr_expect_not(str_starts_with(NULL, ""));
	cr_expect(str_ends_with("a.yaml", ".yaml"));
	cr_expect_not(str_ends_with("yaml", ".yaml"));
	cr_expect_not(str_ends_with(NULL, ""));
}

Test(str, trim)
{
	static const char *const rows[][2] = {
		{"", ""}, {"  ", ""}, {" a b\t\n", "a b"}, {"a", "a"}, {"\r\na", "a"},
	};

	array_foreach(row, rows) {
		_cleanup_free_ char *s = alloc_string((*row)[0]);

		cr_expect_str_eq(str_trim(s), (*row)[1]);
	}
}

Test(str, suggest)
{
	static const char *const known[] = {"image",    "ports", "environment", "restart",
					    "env_file", "build", "expose"};
	static const struct {
		const char *word, *expect;
	} rows[] = {
		{"imgae", "image"},
		{"Image", "image"},
		{"port", "ports"},
		{"enviroment", "environment"},
		{"envronmnt", "environment"},
		{"env-file", "env_file"},
		{"restrat", "restart"},
		{"frobnicate", NULL},
		{"x", NULL},
		{"", NULL},
		{"a_word_that_is_much_longer_than_anything_anybody_would_ever_type_as_a_key", NULL},
	};

	array_foreach(row, rows) {
		const char *got = str_suggest(row->word, known, ARRAY_SIZE(known));

		cr_expect(str_equal(got, row->expect), "%s: %s", row->word, got ? got : "nothing");
	}
}

Test(str, utf8)
{
	static const struct {
		const char *bytes;
		size_t n;
		bool valid;
	} rows[] = {
		{"", 0, true},
		{"plain", 5, true},
		{"\xc2\xb5s", 3, true},
		{"\xe2\x82\xac", 3, true},
		{"\xf0\x9f\x90\xb3", 4, true},
		{"\xf4\x8f\xbf\xbf", 4, true},
		{"a\0b", 3, false},
		{"\x80", 1, false},
		{"\xc0\xaf", 2, false},         /* longer than needed */
		{"\xe0\x80\xaf", 3, false},     /* longer than needed */
		{"\xed\xa0\x80", 3, false},     /* half of a surrogate pair */
		{"\xf4\x90\x80\x80", 4, false}, /* beyond U+10FFFF */
		{"\xf8\x88\x80\x80", 4, false},
		{"\xe2\x82", 2, false}, /* cut off */
		{"\xc2"
		 "a",
		 2, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(str_is_utf8(rows[i].bytes, rows[i].n), rows[i].valid, "row %zu", i);
}

Test(strv, grows_and_copies)
{
	_cleanup_strv_ char **list = NULL;
	_cleanup_strv_ char **copy = NULL;

	cr_expect_eq(strv_length(list), 0);
	cr_expect_null(strv_dup(NULL));
	for (int i = 0; i < 100; i++)
		strv_take(&list, str_printf("%d", i));
	cr_expect_eq(strv_length(list), 100);
	cr_expect_str_eq(list[99], "99");
	cr_expect(strv_contains(list, "57"));
	cr_expect_not(strv_contains(list, "100"));
	cr_expect_not(strv_contains(NULL, "100"));
	/* A copy of any length takes more, as the list it was made of does. */
	for (int n = 0; n < 20; n++) {
		_cleanup_strv_ char **part = NULL, **grown = NULL;

		for (int i = 0; i < n; i++)
			strv_append(&part, "x");
		grown = strv_dup(part);
		for (int i = 0; i < 20; i++)
			strv_append(&grown, "y");
		cr_expect_eq(strv_length(grown), (size_t)n + 20);
	}
	copy = strv_dup(list);
	cr_expect(strv_equal(copy, list));
	strv_append(&copy, "more");
	cr_expect_not(strv_equal(copy, list));
	cr_expect(strv_equal(NULL, NULL));
}

Test(strv, split_and_join)
{
	static const struct {
		const char *text, *separators, *joined;
	} rows[] = {
		{"a,b,c", ",", "a|b|c"}, {",a,,b,", ",", "a|b"}, {"a b\tc", " \t", "a|b|c"},
		{"", ",", ""},           {",,", ",", ""},        {"one", ",", "one"},
	};

	array_foreach(row, rows) {
		_cleanup_strv_ char **list = strv_split(row->text, row->separators);
		_cleanup_free_ char *joined = strv_join(list, "|");

		cr_expect_str_eq(joined, row->joined, "'%s': %s", row->text, joined);
	}
}

Test(strv, environment)
{
	_cleanup_strv_ char **env = NULL;
	_cleanup_free_ char *joined = NULL;

	strv_env_set(&env, "A", NULL);
	strv_env_set(&env, "A", "1");
	strv_env_set(&env, "AB", "2");
	strv_env_set(&env, "C", "");
	strv_env_set(&env, "A", "3");
	cr_expect_str_eq(strv_env_get(env, "A"), "3");
	cr_expect_str_eq(strv_env_get(env, "C"), "");
	cr_expect_null(strv_env_get(env, "B"));
	cr_expect_null(strv_env_get(NULL, "B"));
	strv_env_set(&env, "AB", NULL);
	joined = strv_join(env, " ");
	cr_expect_str_eq(joined, "A=3 C=");
}

Test(strv, foreach_visits_all)
{
	_cleanup_strv_ char **list = strv_split("a b c", " ");
	_cleanup_strbuf_ struct strbuf seen = {0};

	strv_foreach(s, list)
		strbuf_add(&seen, s);
	strv_foreach(s, (char **)NULL)
		strbuf_add(&seen, s);
	cr_expect_str_eq(seen.data, "abc");
}

Test(strbuf, grows)
{
	_cleanup_strbuf_ struct strbuf text = {0};
	_cleanup_free_ char *empty = NULL, *taken = NULL;

	empty = strbuf_take(&text);
	cr_expect_str_eq(empty, "");
	for (int i = 0; i < 1000; i++)
		strbuf_addf(&text, "%d,", i);
	cr_expect_eq(text.length, 10 * 2 + 90 * 3 + 900 * 4);
	cr_expect_eq(strlen(text.data), text.length);
	strbuf_addf(&text, "%2000d", 7);
	strbuf_addc(&text, '!');
	strbuf_add_n(&text, "a\0b", 3);
	strbuf_add_n(&text, NULL, 0);
	cr_expect_eq(text.length, 3890 + 2000 + 4);
	taken = strbuf_take(&text);
	cr_expect_eq(taken[3890 + 2000], '!');
	cr_expect_null(text.data);
	strbuf_add(&text, "again");
	cr_expect_str_eq(text.data, "again");
}

Test(alloc, array_add_zeroes_each_slot)
{
	struct row {
		int number;
		char *name;
	} *rows = NULL;
	size_t count = 0;

	for (int i = 0; i < 100; i++) {
		struct row *row = array_add(rows, count);

		cr_expect_eq(row->number, 0);
		cr_expect_null(row->name);
		row->number = i;
	}
	cr_expect_eq(count, 100);
	for (int i = 0; i < 100; i++)
		cr_expect_eq(rows[i].number, i);
	free(rows);
}
