// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/build/ignore.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/path.h"
#include "common/str.h"

#define PATTERNS_MAX 10000
#define PATTERN_MAX  1024
#define PATH_MAX_    4096

/* "[a-z]" at @pattern; behind it, or NULL when it is not closed. */
static const char *class_end(const char *pattern)
{
	const char *s = pattern + 1;

	if (*s == '^')
		s++;
	do {
		if (*s == '\\' && s[1])
			s++;
		if (!*s)
			return NULL;
		s++;
	} while (*s != ']');
	return s + 1;
}

static bool class_matches(const char *pattern, char c)
{
	const char *s = pattern + 1, *end = class_end(pattern) - 1;
	bool negated = *s == '^', found = false;

	s += negated;
	while (s < end) {
		unsigned char low, high;

		if (*s == '\\' && s + 1 < end)
			s++;
		low = high = (unsigned char)*s++;
		if (*s == '-' && s + 1 < end) {
			s++;
			if (*s == '\\' && s + 1 < end)
				s++;
			high = (unsigned char)*s++;
		}
		found = found || (low <= (unsigned char)c && (unsigned char)c <= high);
	}
	return found != negated && c != '/';
}

/*
 * What was tried in vain is remembered, a bit a pair of places, so that a pattern of many stars
 * takes no longer than pattern times path.
 */
struct matching {
	const char *pattern, *path;
	size_t path_length;
	unsigned char *failed;
};

static bool match_here(struct matching *m, const char *p, const char *s);

static bool remembered(struct matching *m, const char *p, const char *s, bool set)
{
	size_t bit = (size_t)(p - m->pattern) * (m->path_length + 1) + (size_t)(s - m->path);

	if (set)
		m->failed[bit / 8] |= (unsigned char)(1U << (bit % 8));
	return m->failed[bit / 8] & (1U << (bit % 8));
}

/* Behind "**" and the slash that belongs to it: here, or behind any slash further on. */
static bool match_folders(struct matching *m, const char *p, const char *s)
{
	if (match_here(m, p, s))
		return true;
	for (; *s; s++)
		if (*s == '/' && match_here(m, p, s + 1))
			return true;
	return false;
}

static bool match_star(struct matching *m, const char *p, const char *s)
{
	for (;; s++) {
		if (match_here(m, p, s))
			return true;
		if (!*s || *s == '/')
			return false;
	}
}

static bool match_one(struct matching *m, const char *p, const char *s)
{
	if (!*p)
		return !*s;
	if (p[0] == '*' && p[1] == '*') {
		p += 2;
		if (*p == '/')
			p++;
		return !*p || match_folders(m, p, s);
	}
	if (*p == '*')
		return match_star(m, p + 1, s);
	if (!*s)
		return false;
	if (*p == '?')
		return *s != '/' && match_here(m, p + 1, s + 1);
	if (*p == '[' && class_end(p))
		return class_matches(p, *s) && match_here(m, class_end(p), s + 1);
	if (*p == '\\' && p[1])
		p++;
	return *p == *s && match_here(m, p + 1, s + 1);
}

static bool match_here(struct matching *m, const char *p, const char *s)
{
	if (remembered(m, p, s, false))
		return false;
	if (match_one(m, p, s))
		return true;
	remembered(m, p, s, true);
	return false;
}

bool ignore_pattern_matches(const char *pattern, const char *path)
{
	size_t pattern_length = strlen(pattern), path_length = strlen(path);
	struct matching m = {pattern, path, path_length, NULL};
	size_t plain = strcspn(pattern, "*?[\\");
	bool matches;

	/* Most patterns are names. */
	if (strncmp(pattern, path, plain) != 0)
		return false;
	if (plain == pattern_length)
		return path_length == plain;
	m.failed = alloc_zero((pattern_length + 1) * (path_length + 1) / 8 + 1, 1);
	matches = match_here(&m, pattern, path);
	free(m.failed);
	return matches;
}

/* As Go's filepath.Clean, and without the slash at the front. */
static char *clean(const char *text)
{
	_cleanup_free_ char *whole = path_clean(text);
	const char *path = whole + (*whole == '/');

	return alloc_string(*path ? path : ".");
}

int ignore_add(struct ignore *ignore, const char *text, unsigned int line, struct error *err)
{
	_cleanup_free_ char *copy = alloc_string(text);
	char *pattern = str_trim(copy);
	bool negated = *pattern == '!';
	struct ignore_pattern *row;

	if (!*pattern)
		return 0;
	if (negated && !*str_trim(pattern + 1))
		return error_set(err, EINVAL, "'!' without a pattern");
	if (strlen(pattern) > PATTERN_MAX || ignore->count >= PATTERNS_MAX)
		return error_set(err, E2BIG, "more than %d patterns, or one of more than %d bytes",
				 PATTERNS_MAX, PATTERN_MAX);
	for (const char *c = pattern; *c; c++) {
		if (*c == '\\' && c[1])
			c++;
		else if (*c == '[' && !class_end(c))
			return error_set(err, EINVAL, "'%.80s': a [ is not closed", pattern);
	}
	row = array_add(ignore->patterns, ignore->count);
	row->pattern = clean(negated ? str_trim(pattern + 1) : pattern);
	row->original = alloc_string(pattern);
	row->line = line;
	row->negated = negated;
	ignore->any_negated = ignore->any_negated || negated;
	return 0;
}

int ignore_parse(const char *name, const char *text, size_t size, struct ignore *ret,
		 struct error *err)
{
	const char *end = text + size;
	unsigned int number = 0;

	*ret = (struct ignore){.name = alloc_string(name)};
	if (size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		text += 3;
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text)) ?: end;
		_cleanup_free_ char *line = alloc_string_n(text, (size_t)(newline - text));

		number++;
		text = newline + 1;
		if (*line == '#')
			continue;
		if (ignore_add(ret, line, number, err) < 0) {
			struct error inner = *err;
			char where[96];

			ignore_done(ret);
			snprintf(where, sizeof(where), "%.80s:%u", name, number);
			return error_where(err, where, "%s", inner.message);
		}
	}
	return 0;
}

void ignore_done(struct ignore *ignore)
{
	for (size_t i = 0; i < ignore->count; i++) {
		free(ignore->patterns[i].pattern);
		free(ignore->patterns[i].original);
	}
	free(ignore->patterns);
	free(ignore->name);
	*ignore = (struct ignore){0};
}

/* The path itself, or a folder above it. */
static bool matches_or_parent(const char *pattern, const char *path)
{
	char folder[PATH_MAX_];
	size_t n = strlen(path);

	if (ignore_pattern_matches(pattern, path))
		return true;
	if (n >= sizeof(folder))
		return false;
	for (size_t i = 1; i < n; i++) {
		if (path[i] != '/')
			continue;
		memcpy(folder, path, i);
		folder[i] = '\0';
		if (ignore_pattern_matches(pattern, folder))
			return true;
	}
	return false;
}

bool ignore_matches(const struct ignore *ignore, const char *path,
		    const struct ignore_pattern **ret_by)
{
	/* From the end: the last one that matches decides. */
	for (size_t i = ignore->count; i > 0; i--) {
		const struct ignore_pattern *row = &ignore->patterns[i - 1];

		if (!matches_or_parent(row->pattern, path))
			continue;
		if (ret_by)
			*ret_by = row;
		return !row->negated;
	}
	return false;
}

/* Whether what lies below @folder can match: compared as far as the pattern is plain. */
static bool may_match_below(const char *pattern, const char *folder)
{
	size_t plain = strcspn(pattern, "*?[\\"), n = strlen(folder);
	size_t common = plain < n ? plain : n;

	if (strncmp(pattern, folder, common) != 0)
		return false;
	if (plain < strlen(pattern))
		return plain <= n || pattern[n] == '/';
	return plain > n ? pattern[n] == '/' : plain == n || folder[plain] == '/';
}

bool ignore_prunes(const struct ignore *ignore, const char *path)
{
	if (!ignore_matches(ignore, path, NULL))
		return false;
	for (size_t i = 0; i < ignore->count; i++)
		if (ignore->patterns[i].negated &&
		    may_match_below(ignore->patterns[i].pattern, path))
			return false;
	return true;
}
