// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/tree/dotenv.h"

#include <ctype.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

struct reader {
	const struct dotenv *dotenv;
	const struct source *source;
	const char *at, *line_start;
	unsigned int line;
	struct map earlier; /* this file's own lines; owns its values */
	struct error *err;
};

static struct position here(const struct reader *r)
{
	return (struct position){r->source, r->line, (uint32_t)(r->at - r->line_start) + 1};
}

static void skip_blanks(struct reader *r)
{
	while (*r->at == ' ' || *r->at == '\t' || *r->at == '\r' || *r->at == '\v')
		r->at++;
}

static void next_line(struct reader *r)
{
	while (*r->at && *r->at != '\n')
		r->at++;
	if (*r->at) {
		r->at++;
		r->line++;
		r->line_start = r->at;
	}
}

static void add(struct reader *r, const char *key, const char *value)
{
	r->dotenv->add(r->dotenv->data, key, value);
	if (value)
		free(map_set(&r->earlier, key, alloc_string(value)));
}

static const char *lookup(void *data, const char *name)
{
	struct reader *r = data;
	const struct interpolation *outer = r->dotenv->with;
	const char *value = outer->lookup(outer->data, name);

	return value ? value : map_get(&r->earlier, name);
}

static void unset(void *data, const char *name)
{
	struct reader *r = data;
	const struct interpolation *outer = r->dotenv->with;

	if (outer->unset)
		outer->unset(outer->data, name);
}

static bool is_key_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("_.-[]", c));
}

/* The name, and whether a value follows. */
static int read_key(struct reader *r, char **ret_key, bool *ret_value)
{
	const char *start = r->at, *end;
	struct position at;

	while (is_key_char(*r->at))
		r->at++;
	end = r->at;
	skip_blanks(r);
	at = here(r);
	*ret_value = *r->at == '=' || *r->at == ':';
	if (end > start && *ret_value) {
		r->at++;
	} else if (end == start || (*r->at && *r->at != '\n' && *r->at != '#')) {
		if (r->at > end && is_key_char(*r->at))
			return error_at(r->err, &at, "a key cannot contain a space: \"%.*s\"",
					(int)strcspn(start, "=\n"), start);
		return error_at(r->err, &at,
				"unexpected character \"%.1s\" in variable name near \"%.*s\"",
				r->at, (int)strcspn(start, "\n"), start);
	}
	*ret_key = alloc_string_n(start, (size_t)(end - start));
	return 0;
}

static int interpolated(struct reader *r, const char *key, const char *template, char **ret)
{
	const struct interpolation with = {.lookup = lookup, .unset = unset, .data = r};
	struct position at = here(r);
	char where[sizeof(r->err->where)];
	int result;

	if (!strchr(template, '$')) {
		*ret = alloc_string(template);
		return 0;
	}
	result = interpolate_text(&with, template, key, ret, r->err);
	if (result < 0)
		snprintf(r->err->where, sizeof(r->err->where), "%s",
			 position_text(&at, where, sizeof(where)));
	return result;
}

static int read_unquoted(struct reader *r, const char *key, char **ret)
{
	size_t length = strcspn(r->at, "\n");
	_cleanup_free_ char *value = alloc_string_n(r->at, length);

	for (char *hash = value; (hash = strchr(hash, '#')); hash++) {
		if (hash == value || isspace((unsigned char)hash[-1])) {
			*hash = '\0';
			break;
		}
	}
	return interpolated(r, key, str_trim(value), ret);
}

/* A backslash inside double quotes; "\$" becomes "$$", which interpolation makes a dollar. */
static void add_escape(struct strbuf *out, char c)
{
	static const char letters[] = "abfnrtv\"\\", meanings[] = "\a\b\f\n\r\t\v\"\\";
	const char *at = c ? strchr(letters, c) : NULL;

	if (at)
		strbuf_addc(out, meanings[at - letters]);
	else if (c == '$')
		strbuf_add(out, "$$");
	else
		strbuf_add_n(out, (char[]){'\\', c}, 2);
}

static int read_quoted(struct reader *r, const char *key, char **ret)
{
	_cleanup_strbuf_ struct strbuf out = {0};
	struct position start = here(r);
	char quote = *r->at++;

	for (; *r->at != quote; r->at++) {
		if (!*r->at)
			return error_at(r->err, &start, "unterminated quoted value of %s", key);
		if (*r->at == '\n') {
			r->line++;
			r->line_start = r->at + 1;
		}
		if (*r->at != '\\' || !r->at[1]) {
			strbuf_addc(&out, *r->at);
		} else if (quote == '"') {
			add_escape(&out, *++r->at);
		} else {
			if (r->at[1] != '\'')
				strbuf_addc(&out, '\\');
			else
				strbuf_addc(&out, *++r->at);
		}
	}
	r->at++;
	if (quote == '\'') {
		*ret = strbuf_take(&out);
		return 0;
	}
	return interpolated(r, key, out.data ? out.data : "", ret);
}

static int end_of_quoted(struct reader *r)
{
	struct position at;

	skip_blanks(r);
	at = here(r);
	if (*r->at && *r->at != '\n' && *r->at != '#')
		return error_at(r->err, &at, "unexpected text behind the closing quote");
	return 0;
}

static int read_assignment(struct reader *r)
{
	_cleanup_free_ char *key = NULL, *value = NULL;
	bool has_value = false;
	int result;

	if (!strncmp(r->at, "export", 6) && (r->at[6] == ' ' || r->at[6] == '\t')) {
		r->at += 6;
		skip_blanks(r);
	}
	result = read_key(r, &key, &has_value);
	if (result < 0)
		return result;
	if (!has_value) {
		add(r, key, lookup(r, key));
		return 0;
	}
	skip_blanks(r);
	if (*r->at != '"' && *r->at != '\'') {
		result = read_unquoted(r, key, &value);
	} else {
		result = read_quoted(r, key, &value);
		if (result >= 0)
			result = end_of_quoted(r);
	}
	if (result >= 0)
		add(r, key, value);
	return result;
}

static void read_raw(struct reader *r)
{
	size_t length = strcspn(r->at, "\n");
	_cleanup_free_ char *line = alloc_string_n(r->at, length);
	char *equals;

	if (length && line[length - 1] == '\r')
		line[length - 1] = '\0';
	equals = strchr(line, '=');
	if (!equals) {
		add(r, line, lookup(r, line));
		return;
	}
	*equals = '\0';
	add(r, line, equals + 1);
}

static int read_lines(struct reader *r)
{
	for (; *r->at; next_line(r)) {
		int result = 0;

		skip_blanks(r);
		if (!*r->at || *r->at == '\n' || *r->at == '#')
			continue;
		if (r->dotenv->raw)
			read_raw(r);
		else
			result = read_assignment(r);
		if (result < 0)
			return result;
	}
	return 0;
}

int dotenv_parse(const struct dotenv *dotenv, const struct source *source, struct error *err)
{
	struct reader r = {
		.dotenv = dotenv,
		.source = source,
		.at = source->text,
		.line_start = source->text,
		.line = 1,
		.err = err,
	};
	int result;

	if (str_starts_with(r.at, "\xef\xbb\xbf"))
		r.at += 3;
	result = read_lines(&r);
	map_done(&r.earlier, free);
	return result;
}
