// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/view/columns.h"

#include <locale.h>
#include <string.h>
#include <wchar.h>

#define FIRST_SPECIAL 0x300 /* below it all characters take one column */
#define ESCAPE        '\033'

/* Where there is no C.UTF-8: East Asia and pictures, and the marks that are most common. */
static size_t guess_width(wchar_t c)
{
	if ((c >= 0x300 && c <= 0x36f) || (c >= 0x200b && c <= 0x200f) ||
	    (c >= 0xfe00 && c <= 0xfe0f))
		return 0;
	return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xd7a3) ||
			       (c >= 0xf900 && c <= 0xfaff) || (c >= 0xff00 && c <= 0xff60) ||
			       c >= 0x1f300
		       ? 2
		       : 1;
}

/* libc has the tables, whichever locale the user chose. */
static size_t width_of(wchar_t c)
{
	static locale_t utf8;
	static bool asked;
	locale_t before;
	int width;

	if (c < FIRST_SPECIAL)
		return 1;
	if (!asked)
		utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	asked = true;
	if (!utf8)
		return guess_width(c);
	before = uselocale(utf8);
	width = wcwidth(c);
	(void)uselocale(before);
	return width < 0 ? 1 : (size_t)width;
}

/* Bytes of the character at @text; *@ret its code point, 0 when it is no UTF-8. */
static size_t decode(const char *text, wchar_t *ret)
{
	static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
	unsigned char first = (unsigned char)*text;
	size_t length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	wchar_t c = length == 1 ? first : first & ((1 << (7 - length)) - 1);

	*ret = 0;
	if (length > 1 && (first < marks[length] + (length == 2 ? 2 : 0) || first > 0xf4))
		return 1;
	for (size_t i = 1; i < length; i++) {
		if (((unsigned char)text[i] & 0xc0) != 0x80)
			return 1;
		c = c << 6 | ((unsigned char)text[i] & 0x3f);
	}
	*ret = c;
	return length;
}

static bool is_control(wchar_t c)
{
	return c < ' ' || (c >= 0x7f && c < 0xa0);
}

/* Appends one character of @text to @out (unless NULL); its columns. *@ret_length its bytes. */
static size_t take(const char *text, size_t *ret_length, struct strbuf *out)
{
	wchar_t c;

	*ret_length = decode(text, &c);
	if (c && !is_control(c)) {
		if (out)
			strbuf_add_n(out, text, *ret_length);
		return width_of(c);
	}
	if (out)
		strbuf_addc(out, c ? ' ' : '?');
	return 1;
}

size_t columns_width(const char *text)
{
	size_t width = 0, length;

	for (; *text; text += length)
		width += take(text, &length, NULL);
	return width;
}

size_t columns_add_cut(struct strbuf *out, const char *text, size_t columns)
{
	size_t width = 0, length;

	while (*text && width + take(text, &length, NULL) <= columns) {
		width += take(text, &length, out);
		text += length;
	}
	return width;
}

/* The end of @text that takes at most @columns. */
static const char *tail_of(const char *text, size_t columns)
{
	size_t width = columns_width(text), length;
	wchar_t c;

	while (*text && width > columns) {
		width -= take(text, &length, NULL);
		text += length;
	}
	/* What combines with a character that has gone goes with it. */
	while (*text && (length = decode(text, &c)) && c >= FIRST_SPECIAL && !width_of(c))
		text += length;
	return text;
}

size_t columns_add_elided(struct strbuf *out, const char *text, size_t columns)
{
	size_t head;

	if (columns == 0 || columns_width(text) <= columns)
		return columns_add_cut(out, text, columns);
	head = columns_add_cut(out, text, columns / 3);
	strbuf_add(out, "…");
	return head + 1 + columns_add_cut(out, tail_of(text, columns - head - 1), columns);
}

/* Bytes of the escape sequence at @line, which begins with ESC (ECMA-48). */
static size_t escape_length(const char *line, size_t length)
{
	char kind = length > 1 ? line[1] : '\0';
	size_t n = 1;

	if (kind && strchr("]P_^X", kind)) {
		/* A string, up to BEL or to ESC \. */
		while (++n < length && line[n] != '\a' && line[n] != ESCAPE)
			;
		n += n < length && line[n] == ESCAPE;
	} else if (kind == '[') {
		while (++n < length && (unsigned char)line[n] < '@')
			;
	} else {
		while (n < length && line[n] >= ' ' && line[n] <= '/')
			n++;
	}
	return n < length ? n + 1 : length;
}

void columns_add_line(struct strbuf *out, const char *line, size_t length, bool colors)
{
	size_t begin = out->length, n;
	bool over = false;

	for (size_t i = 0; i < length; i += n) {
		unsigned char c = (unsigned char)line[i];
		bool color = false;

		n = 1;
		if (c == ESCAPE) {
			n = escape_length(line + i, length - i);
			color = colors && n > 2 && line[i + 1] == '[' && line[i + n - 1] == 'm';
		} else if (c == '\r') {
			over = true;
		}
		if (!color && (c < ' ' || c == 0x7f) && c != '\t')
			continue;
		if (over)
			out->length = begin;
		over = false;
		strbuf_add_n(out, line + i, n);
	}
}
