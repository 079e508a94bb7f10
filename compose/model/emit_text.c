// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/model/emit_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"

void emit_indent(struct strbuf *out, unsigned int depth)
{
	static const char spaces[] = "                                ";
	size_t left = 2 * (size_t)depth;

	for (; left > sizeof(spaces) - 1; left -= sizeof(spaces) - 1)
		strbuf_add_n(out, spaces, sizeof(spaces) - 1);
	strbuf_add_n(out, spaces, left);
}

int emit_write(const struct strbuf *text, bool escape, FILE *out)
{
	const char *s = text->data ? text->data : "";

	if (!escape) {
		fwrite(s, 1, text->length, out);
		return ferror(out) ? -EIO : 0;
	}

	while (*s) {
		size_t plain = strcspn(s, "$");

		fwrite(s, 1, plain, out);
		s += plain;
		if (*s) {
			fputs("$$", out);
			s++;
		}
	}
	return ferror(out) ? -EIO : 0;
}

/* Bytes of UTF-8 count as letters: what is not one of them is rare in a key. */
static bool is_letter(char c)
{
	return isalpha((unsigned char)c) || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
	return isdigit((unsigned char)c);
}

/* A number's value does not count where it goes on behind a zero that is not its first digit. */
static unsigned long long number_at(const char *s, size_t from, bool behind, const char **ret_end)
{
	unsigned long long value = behind;

	for (s += from; is_digit(*s); s++)
		value = value * 10 + (unsigned long long)(*s - '0');
	*ret_end = s;
	return value;
}

static int compare_numbers(const char *a, const char *b, size_t at)
{
	unsigned long long x, y;
	const char *x_end, *y_end;
	bool behind = false;

	if (a[at] == '0' || b[at] == '0')
		for (size_t i = at; i > 0 && is_digit(a[i - 1]) && !behind; i--)
			behind = a[i - 1] != '0';
	x = number_at(a, at, behind, &x_end);
	y = number_at(b, at, behind, &y_end);
	if (x != y)
		return x < y ? -1 : 1;
	if (x_end - a != y_end - b)
		return x_end - a < y_end - b ? -1 : 1;
	return (unsigned char)a[at] < (unsigned char)b[at] ? -1 : 1;
}

/* yaml.v3's order of keys: numbers by value, and what is no letter before what is one. */
static int compare_natural(const char *a, const char *b)
{
	size_t i = 0;
	bool digits;

	while (a[i] && a[i] == b[i])
		i++;
	if (!a[i] || !b[i])
		return a[i] ? 1 : b[i] ? -1 : 0;
	digits = i && is_digit(a[i - 1]);
	if (is_letter(a[i]) && is_letter(b[i]))
		return (unsigned char)a[i] < (unsigned char)b[i] ? -1 : 1;
	if (is_letter(a[i]) || is_letter(b[i]))
		return (digits ? is_letter(a[i]) : is_letter(b[i])) ? -1 : 1;
	return compare_numbers(a, b, i);
}

static int compare_entries(const void *a, const void *b)
{
	return compare_natural(((const struct emit_entry *)a)->key,
			       ((const struct emit_entry *)b)->key);
}

static void sort(struct emit_entry *entries, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		if (compare_entries(&entries[i - 1], &entries[i]) <= 0)
			continue;
		qsort(entries, count, sizeof(*entries), compare_entries);
		return;
	}
}

/*
 * A map is told from an object with attributes by its keys, which are sorted by their bytes. An
 * object whose attributes happen to be so stays as it is: they are words of small letters, which
 * both orders treat alike.
 */
struct emit_entry *emit_order(const json_t *object)
{
	struct emit_entry *entries = new_array(struct emit_entry, json_object_size(object) + 1);
	size_t count = 0, attributes = 0;
	const char *key;
	bool map = true;
	json_t *value;

	json_object_foreach((json_t *)object, key, value) {
		map = map && (!count || strcmp(entries[count - 1].key, key) < 0);
		entries[count++] = (struct emit_entry){key, value};
		if (strncmp(key, "x-", 2) != 0)
			attributes = count;
	}
	sort(map ? entries : entries + attributes, map ? count : count - attributes);
	return entries;
}
