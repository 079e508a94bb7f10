// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/str.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "common/alloc.h"

bool str_equal(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

bool str_starts_with(const char *s, const char *prefix)
{
	return s && strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends_with(const char *s, const char *suffix)
{
	size_t length, tail = strlen(suffix);

	if (!s)
		return false;
	length = strlen(s);
	return length >= tail && memcmp(s + length - tail, suffix, tail) == 0;
}

char *str_vprintf(const char *format, va_list args)
{
	char *text = NULL;
	int length = vasprintf(&text, format, args);

	/* vasprintf fails for want of memory only: ask for it again and end there. */
	return length < 0 ? alloc(SIZE_MAX) : text;
}

char *str_printf(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = str_vprintf(format, args);
	va_end(args);
	return text;
}

char *str_trim(char *s)
{
	size_t start = 0, end = strlen(s);

	while (start < end && isspace((unsigned char)s[start]))
		start++;
	while (end > start && isspace((unsigned char)s[end - 1]))
		end--;
	memmove(s, s + start, end - start);
	s[end - start] = '\0';
	return s;
}

#define SUGGEST_LENGTH_MAX 64

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap neighbours) that make @a of @b, letters of any case. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t rows[3][SUGGEST_LENGTH_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2], *reused;
	size_t length_a = strlen(a), length_b = strlen(b);

	for (size_t j = 0; j <= length_b; j++)
		above[j] = j;
	for (size_t i = 1; i <= length_a; i++) {
		int ca = tolower((unsigned char)a[i - 1]);

		row[0] = i;
		for (size_t j = 1; j <= length_b; j++) {
			int cb = tolower((unsigned char)b[j - 1]);

			row[j] = min_size(above[j] + 1, row[j - 1] + 1);
			row[j] = min_size(row[j], above[j - 1] + (ca != cb));
			if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) &&
			    tolower((unsigned char)a[i - 2]) == cb)
				row[j] = min_size(row[j], before[j - 2] + 1);
		}
		reused = before;
		before = above;
		above = row;
		row = reused;
	}
	return above[length_b];
}

const char *str_suggest(const char *word, const char *const *candidates, size_t n)
{
	const char *best = NULL;
	size_t length = strlen(word), best_distance;

	if (length == 0 || length > SUGGEST_LENGTH_MAX)
		return NULL;
	/* A third of the word may be wrong; a word of two letters may differ in one. */
	best_distance = (length + 2) / 3 + 1;
	for (size_t i = 0; i < n; i++) {
		size_t distance;

		if (!candidates[i] || strlen(candidates[i]) > SUGGEST_LENGTH_MAX)
			continue;
		distance = edit_distance(word, candidates[i]);
		if (distance < best_distance && distance < strlen(candidates[i])) {
			best = candidates[i];
			best_distance = distance;
		}
	}
	return best;
}

/* Bytes of the valid sequence at @s (RFC 3629, shortest form, no surrogates), or 0. */
static size_t utf8_sequence(const unsigned char *s, size_t n)
{
	size_t length = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (s[0] == 0 || (s[0] >= 0x80 && s[0] < 0xc2) || s[0] > 0xf4 || length > n)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))
		return 0;
	return length;
}

bool str_is_utf8(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;

	for (size_t at = 0; at < n;) {
		size_t length = utf8_sequence(p + at, n - at);

		if (length == 0)
			return false;
		at += length;
	}
	return true;
}
