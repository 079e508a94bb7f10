// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <string.h>

#include "compose/cli/view/columns.h"

Test(columns, width)
{
	static const struct {
		const char *text;
		size_t width;
	} cases[] = {
		{"", 0},  {"abc", 3},      {"é", 1},        {"e\xcc\x81", 1}, /* e and a combining
										 accent */
		{"…", 1}, {"日本", 4},     {"한국", 4},     {"ｆｕｌｌ", 8},  {"🐳", 2},
		{"✔", 1}, {"a\nb\x1b", 4}, {"\xff\xc3", 2},
	};

	array_foreach(c, cases)
		cr_expect_eq(columns_width(c->text), c->width, "%s: %zu", c->text,
			     columns_width(c->text));
}

Test(columns, cut_and_elided)
{
	static const struct {
		const char *text;
		size_t columns;
		const char *cut, *elided;
	} cases[] = {
		{"container-web-1", 20, "container-web-1", "container-web-1"},
		{"container-web-1", 9, "container", "con…web-1"},
		/* Half a wide character is none, and no frame holds what would break its line. */
		{"日本語の名前です", 7, "日本語", "日…です"},
		{"two\nlines\r\033[1m", 11, "two lines  ", NULL},
		{"e\xcc\x81t\xcc\x81x", 2, "e\xcc\x81t\xcc\x81", "…x"},
		{"abc", 0, "", ""},
	};

	array_foreach(c, cases) {
		_cleanup_strbuf_ struct strbuf cut = {0}, elided = {0};
		size_t width;

		strbuf_add(&cut, "");
		strbuf_add(&elided, "");
		width = columns_add_cut(&cut, c->text, c->columns);
		cr_expect_str_eq(cut.data, c->cut, "%s: '%s'", c->text, cut.data);
		cr_expect_eq(width, columns_width(c->cut));
		width = columns_add_elided(&elided, c->text, c->columns);
		cr_expect_leq(columns_width(elided.data), c->columns);
		cr_expect_eq(width, columns_width(elided.data));
		if (c->elided)
			cr_expect_str_eq(elided.data, c->elided, "%s: '%s'", c->text, elided.data);
	}
}

Test(columns, lines_of_programs)
{
	static const struct {
		const char *line, *plain, *colored; /* NULL: as plain */
	} cases[] = {
		{"", ""},
		{"plain\ttext", "plain\ttext"},
		{"\033[1;31mred\033[0m", "red", "\033[1;31mred\033[0m"},
		{"10%\r20%\r100% done", "100% done"},
		{"\033[2K\r\033[32mok\033[m", "ok", "\033[32mok\033[m"},
		{"windows\r", "windows"},
		{"a\033]0;title\ab\033]8;;http://x\033\\link", "ablink"},
		{"\033[2J\033[H\033[3Aup", "up"},
		{"\033(Bx\033=y\033", "xy"},
		{"\033[", ""},
		{"\033]never ended", ""},
		{"\001\002bell\a\b\b", "bell"},
	};

	array_foreach(c, cases) {
		_cleanup_strbuf_ struct strbuf plain = {0}, colored = {0};

		strbuf_add(&plain, "> ");
		strbuf_add(&colored, "> ");
		columns_add_line(&plain, c->line, strlen(c->line), false);
		columns_add_line(&colored, c->line, strlen(c->line), true);
		cr_expect_str_eq(plain.data + 2, c->plain, "'%s'", plain.data);
		cr_expect_str_eq(colored.data + 2, c->colored ?: c->plain, "'%s'", colored.data);
	}
}
