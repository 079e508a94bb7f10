// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/build/expand.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

#define DEPTH_MAX  32
#define RESULT_MAX (4 << 20)

struct reading {
	const struct expansion *with;
	const char *at;
	struct strbuf out;
	/* for expand_words(): words that are complete, and whether one has begun */
	char ***words;
	bool begun;
	int depth;
	struct error *err;
};

static int fail_brace(struct reading *r)
{
	return error_set(r->err, EINVAL, "'${' without its '}'");
}

static const char *look_up(const struct reading *r, const char *name)
{
	if (r->with->used)
		map_set(r->with->used, name, r->with->used);
	return r->with->lookup ? r->with->lookup(r->with->data, name) : NULL;
}

static bool is_name_char(char c)
{
	return c == '_' || isalnum((unsigned char)c);
}

/* A name, a digit, or one of the shell's special parameters. New string; NULL: there is none. */
static char *take_name(struct reading *r)
{
	const char *start = r->at;

	if (*start && strchr("@*#?-$!0", *start)) {
		r->at++;
		return alloc_string_n(start, 1);
	}
	if (isdigit((unsigned char)*start)) {
		while (isdigit((unsigned char)*r->at))
			r->at++;
		return alloc_string_n(start, (size_t)(r->at - start));
	}
	while (is_name_char(*r->at))
		r->at++;
	return r->at == start ? NULL : alloc_string_n(start, (size_t)(r->at - start));
}

/* Each * tries as little first; what it gave up is remembered for the last one only. */
bool expand_pattern_matches(const char *pattern, const char *text, size_t length)
{
	const char *star = NULL, *end = text + length, *again = text;

	for (;;) {
		if (*pattern == '*') {
			star = ++pattern;
			again = text;
			continue;
		}
		if (text == end && !*pattern)
			return true;
		if (text < end && *pattern) {
			const char *c = *pattern == '\\' && pattern[1] ? pattern + 1 : pattern;

			if ((c == pattern && *c == '?') || *c == *text) {
				pattern = c + 1;
				text++;
				continue;
			}
		}
		if (!star || again == end)
			return false;
		pattern = star;
		text = ++again;
	}
}

static char *remove_prefix(const char *value, const char *pattern, bool longest)
{
	size_t length = strlen(value);

	for (size_t i = 0; i <= length; i++) {
		size_t n = longest ? length - i : i;

		if (expand_pattern_matches(pattern, value, n))
			return alloc_string(value + n);
	}
	return alloc_string(value);
}

static char *remove_suffix(const char *value, const char *pattern, bool longest)
{
	size_t length = strlen(value);

	for (size_t i = 0; i <= length; i++) {
		size_t at = longest ? i : length - i;

		if (expand_pattern_matches(pattern, value + at, length - at))
			return alloc_string_n(value, at);
	}
	return alloc_string(value);
}

/* The longest match at the first place where there is one. 0: none here. */
static size_t match_length(const char *value, const char *pattern)
{
	for (size_t n = strlen(value); n > 0; n--)
		if (expand_pattern_matches(pattern, value, n))
			return n;
	return 0;
}

static char *replace(const char *value, const char *pattern, const char *by, bool all)
{
	struct strbuf out = {0};
	bool done = false;

	while (*value) {
		size_t n = done && !all ? 0 : match_length(value, pattern);

		if (!n) {
			strbuf_addc(&out, *value++);
			continue;
		}
		strbuf_add(&out, by);
		value += n;
		done = true;
	}
	return strbuf_take(&out);
}

static int read_until(struct reading *r, const char *stop, bool quoted, bool raw, char **ret);

/* "name:-word}" behind the opening brace, which is closed here. */
static int read_modifier(struct reading *r, const char *name, char **ret);

static int take_word(struct reading *r, const char *stop, bool raw, char **ret)
{
	struct reading inner = {.with = r->with, .at = r->at, .depth = r->depth + 1, .err = r->err};
	int result;

	if (inner.depth > DEPTH_MAX)
		return error_set(r->err, EINVAL, "substitutions more than %d deep", DEPTH_MAX);
	result = read_until(&inner, stop, false, raw, ret);
	r->at = inner.at;
	return result;
}

static int close_brace(struct reading *r)
{
	if (*r->at != '}')
		return fail_brace(r);
	r->at++;
	return 0;
}

static int default_or_alternative(struct reading *r, const char *name, bool colon, char **ret)
{
	char modifier = *r->at++;
	const char *value = look_up(r, name);
	_cleanup_free_ char *word = NULL;
	bool set = value && (!colon || *value);

	if (take_word(r, "}", false, &word) < 0 || close_brace(r) < 0)
		return -r->err->code;
	switch (modifier) {
	case '-':
		*ret = set ? alloc_string(value) : TAKE_PTR(word);
		return 0;
	case '+':
		*ret = set ? TAKE_PTR(word) : alloc_string("");
		return 0;
	default:
		if (!set)
			return error_set(r->err, EINVAL, "%.100s: %.200s", name,
					 *word   ? word
					 : value ? "is empty"
						 : "is not set");
		*ret = alloc_string(value);
		return 0;
	}
}

static int trim_or_replace(struct reading *r, const char *name, char **ret)
{
	char modifier = *r->at++;
	const char *value = look_up(r, name) ?: "";
	_cleanup_free_ char *pattern = NULL, *by = NULL;
	bool twice = *r->at == modifier;

	r->at += twice;
	if (take_word(r, modifier == '/' ? "/}" : "}", true, &pattern) < 0)
		return -r->err->code;
	if (modifier == '/' && *r->at == '/') {
		r->at++;
		if (take_word(r, "}", false, &by) < 0)
			return -r->err->code;
	}
	if (close_brace(r) < 0)
		return -r->err->code;
	if (strlen(value) * strlen(pattern) > RESULT_MAX ||
	    strlen(value) * strlen(by ?: "") > RESULT_MAX)
		return error_set(r->err, EINVAL, "${%.60s}: its value is too long for that", name);
	*ret = modifier == '#'   ? remove_prefix(value, pattern, twice)
	       : modifier == '%' ? remove_suffix(value, pattern, twice)
				 : replace(value, pattern, by ?: "", twice);
	return 0;
}

static int read_modifier(struct reading *r, const char *name, char **ret)
{
	bool colon = *r->at == ':';
	const char *modifier = r->at + colon;

	if (*modifier && strchr("-+?", *modifier)) {
		r->at = modifier;
		return default_or_alternative(r, name, colon, ret);
	}
	if (!colon && *modifier && strchr("#%/", *modifier))
		return trim_or_replace(r, name, ret);
	if (!*modifier)
		return fail_brace(r);
	return error_set(r->err, EINVAL, "${%.60s%.4s...}: no such modifier", name, r->at);
}

/* Behind '$'. *ret NULL: nothing to substitute, the dollar is meant. */
static int read_variable(struct reading *r, char **ret)
{
	_cleanup_free_ char *name = NULL;
	const char *start = r->at, *value;

	*ret = NULL;
	if (*r->at != '{') {
		name = take_name(r);
		if (!name)
			return 0;
		value = look_up(r, name);
		if (value || !r->with->keep_unset)
			*ret = alloc_string(value ?: "");
		else
			*ret = str_printf("$%s", name);
		return 0;
	}
	r->at++;
	name = take_name(r);
	if (!name)
		return *r->at ? error_set(r->err, EINVAL, "'${%.8s': not a variable's name", r->at)
			      : fail_brace(r);
	if (*r->at != '}')
		return read_modifier(r, name, ret);
	r->at++;
	value = look_up(r, name);
	if (value || !r->with->keep_unset)
		*ret = alloc_string(value ?: "");
	else
		*ret = str_printf("$%.*s", (int)(r->at - start), start);
	return 0;
}

static void end_word(struct reading *r)
{
	if (!r->begun)
		return;
	strv_take(r->words, strbuf_take(&r->out));
	r->begun = false;
}

/* What a variable holds; outside quotes its blanks part words. */
static void add_value(struct reading *r, const char *value, bool quoted)
{
	if (!r->words || quoted) {
		strbuf_add(&r->out, value);
		r->begun = true;
		return;
	}
	for (; *value; value++) {
		if (isspace((unsigned char)*value)) {
			end_word(r);
			continue;
		}
		strbuf_addc(&r->out, *value);
		r->begun = true;
	}
}

static int substitute(struct reading *r, bool quoted)
{
	_cleanup_free_ char *value = NULL;

	r->at++;
	if (read_variable(r, &value) < 0)
		return -r->err->code;
	if (r->out.length + strlen(value ?: "") > RESULT_MAX)
		return error_set(r->err, EINVAL, "longer than %d bytes when it is expanded",
				 RESULT_MAX);
	if (value) {
		add_value(r, value, quoted);
		return 0;
	}
	strbuf_addc(&r->out, '$');
	r->begun = true;
	return 0;
}

static int read_single_quotes(struct reading *r)
{
	const char *end = strchr(r->at + 1, '\'');

	if (!end)
		return error_set(r->err, EINVAL, "a ' is not closed");
	if (r->with->raw_quotes)
		strbuf_add_n(&r->out, r->at, (size_t)(end + 1 - r->at));
	else
		strbuf_add_n(&r->out, r->at + 1, (size_t)(end - r->at - 1));
	r->at = end + 1;
	return 0;
}

static int read_double_quotes(struct reading *r)
{
	if (r->with->raw_quotes)
		strbuf_addc(&r->out, '"');
	for (r->at++; *r->at != '"';) {
		if (!*r->at)
			return error_set(r->err, EINVAL, "a \" is not closed");
		if (*r->at == '$') {
			if (substitute(r, true) < 0)
				return -r->err->code;
			continue;
		}
		if (*r->at == r->with->escape && r->at[1]) {
			bool special =
				r->at[1] == '"' || r->at[1] == '$' || r->at[1] == r->with->escape;

			if (r->with->raw_quotes || !special)
				strbuf_addc(&r->out, *r->at);
			r->at++;
		}
		strbuf_addc(&r->out, *r->at++);
	}
	if (r->with->raw_quotes)
		strbuf_addc(&r->out, '"');
	r->at++;
	return 0;
}

static int read_one(struct reading *r, bool raw)
{
	char c = *r->at;

	if (r->words && isspace((unsigned char)c)) {
		end_word(r);
		r->at++;
		return 0;
	}
	if (c == '$')
		return substitute(r, false);
	r->begun = true;
	if (c == '\'')
		return read_single_quotes(r);
	if (c == '"')
		return read_double_quotes(r);
	if (c == r->with->escape && r->at[1]) {
		/* In a pattern the backslash belongs to the pattern. */
		if (r->with->raw_quotes)
			strbuf_addc(&r->out, c);
		else if (raw)
			strbuf_addc(&r->out, '\\');
		r->at++;
	} else if (c == r->with->escape) {
		r->at++; /* at the very end: nothing is escaped */
		return 0;
	}
	strbuf_addc(&r->out, *r->at++);
	return 0;
}

static int read_until(struct reading *r, const char *stop, bool quoted, bool raw, char **ret)
{
	while (*r->at && !strchr(stop, *r->at)) {
		if (read_one(r, raw) < 0) {
			strbuf_done(&r->out);
			return -r->err->code;
		}
	}
	if (ret)
		*ret = strbuf_take(&r->out);
	return 0;
}

/* A heredoc's body has no quotes: they are letters there. */
static int read_body(struct reading *r, char **ret)
{
	while (*r->at) {
		if (*r->at == r->with->escape && r->at[1] &&
		    (r->at[1] == '$' || r->at[1] == r->with->escape)) {
			strbuf_addc(&r->out, r->at[1]);
			r->at += 2;
		} else if (*r->at != '$') {
			strbuf_addc(&r->out, *r->at++);
		} else if (substitute(r, true) < 0) {
			strbuf_done(&r->out);
			return -r->err->code;
		}
	}
	*ret = strbuf_take(&r->out);
	return 0;
}

int expand_word(const struct expansion *expansion, const char *word, char **ret, struct error *err)
{
	struct reading reading = {.with = expansion, .at = word, .err = err};

	if (expansion->raw_quotes)
		return read_body(&reading, ret);
	return read_until(&reading, "", false, false, ret);
}

int expand_words(const struct expansion *expansion, const char *word, char ***ret,
		 struct error *err)
{
	char **words = NULL;
	struct reading reading = {.with = expansion, .at = word, .words = &words, .err = err};
	int r = read_until(&reading, "", false, false, NULL);

	if (r < 0) {
		strv_free(words);
		return r;
	}
	end_word(&reading);
	strbuf_done(&reading.out);
	*ret = words;
	return 0;
}
