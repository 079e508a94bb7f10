// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/model/emit.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

#include "compose/tree/node.h"

static void add_indent(struct strbuf *out, unsigned int depth)
{
	for (unsigned int i = 0; i < depth; i++)
		strbuf_add(out, "  ");
}

/* Words that YAML 1.1 took for booleans: written in quotes for readers that still do. */
static bool is_old_boolean(const char *s)
{
	static const char *const words[] = {"y", "Y", "yes", "Yes", "YES", "on",  "On",  "ON",
					    "n", "N", "no",  "No",  "NO",  "off", "Off", "OFF"};

	array_foreach(word, words)
		if (!strcmp(*word, s))
			return true;
	return false;
}

/* 190:20:30 was a number in base 60. */
static bool is_base_60(const char *s)
{
	size_t colons = 0;

	s += *s == '-' || *s == '+';
	if (!isdigit((unsigned char)*s))
		return false;
	for (; *s && *s != '.'; s++) {
		if (*s == ':') {
			colons++;
			if (!strchr("0123456789", s[1]) || !s[1])
				return false;
			if (isdigit((unsigned char)s[2]) && s[1] > '5')
				return false;
			if (isdigit((unsigned char)s[2]) && isdigit((unsigned char)s[3]))
				return false;
		} else if (!isdigit((unsigned char)*s) && *s != '_') {
			return false;
		}
	}
	return colons > 0 && strspn(s, ".0123456789_") == strlen(s);
}

static bool means_something_else(const char *s)
{
	struct node node = {.text = (char *)s};

	node_resolve_plain(&node);
	return node.kind != NODE_STRING || node.date || is_old_boolean(s) || is_base_60(s);
}

static bool has_control_characters(const char *s)
{
	for (; *s; s++)
		if (((unsigned char)*s < 0x20 && *s != '\n') || *s == 0x7f)
			return true;
	return false;
}

/* What may not stand unquoted in a block. */
static bool is_plain(const char *s)
{
	size_t length = strlen(s);

	if (!length || strchr("#,[]{}&*!|>'\"%@`", *s) || isspace((unsigned char)*s) ||
	    isspace((unsigned char)s[length - 1]))
		return false;
	if (strchr("-?:", *s) && (!s[1] || s[1] == ' '))
		return false;
	if (!strncmp(s, "---", 3) || !strncmp(s, "...", 3))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (s[i] == ':' && (s[i + 1] == ' ' || !s[i + 1]))
			return false;
		if (s[i] == '#' && s[i - 1] == ' ')
			return false;
	}
	return true;
}

static void add_double_quoted(struct strbuf *out, const char *s)
{
	static const char letters[] = "\a\b\t\n\v\f\r\x1b\"\\", names[] = "abtnvfre\"\\";

	strbuf_addc(out, '"');
	for (; *s; s++) {
		const char *at = strchr(letters, *s);

		if (at)
			strbuf_add_n(out, (char[]){'\\', names[at - letters]}, 2);
		else if ((unsigned char)*s < 0x20 || *s == 0x7f)
			strbuf_addf(out, "\\x%02X", (unsigned char)*s);
		else
			strbuf_addc(out, *s);
	}
	strbuf_addc(out, '"');
}

static void add_single_quoted(struct strbuf *out, const char *s)
{
	strbuf_addc(out, '\'');
	for (; *s; s++) {
		if (*s == '\'')
			strbuf_addc(out, '\'');
		strbuf_addc(out, *s);
	}
	strbuf_addc(out, '\'');
}

static void add_literal(struct strbuf *out, const char *s, unsigned int depth)
{
	size_t length = strlen(s);
	const char *chomp = s[length - 1] != '\n'                 ? "-"
			    : length > 1 && s[length - 2] == '\n' ? "+"
								  : "";

	strbuf_addf(out, "|%s%s", *s == ' ' || *s == '\n' ? "2" : "", chomp);
	while (*s) {
		size_t line = strcspn(s, "\n");

		strbuf_addc(out, '\n');
		if (line)
			add_indent(out, depth);
		strbuf_add_n(out, s, line);
		s += line;
		if (*s == '\n')
			s++;
	}
}

/*
 * Most texts are words and paths: they begin with a letter or a slash, go on with what means
 * nothing to YAML, and are too long for one of its own words.
 */
static bool is_simple(const char *s, size_t *ret_length)
{
	static const bool plain[256] = {
		['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['_'] = true,
		['.'] = true,         ['-'] = true,         ['/'] = true,         ['='] = true,
	};
	size_t n = 0;

	while (plain[(unsigned char)s[n]])
		n++;
	*ret_length = n;
	return !s[n] && n > strlen("false") && (isalpha((unsigned char)*s) || *s == '/');
}

static void add_string(struct strbuf *out, const char *s, unsigned int depth, bool key)
{
	bool lines;
	size_t length;

	if (is_simple(s, &length)) {
		strbuf_add_n(out, s, length);
		return;
	}
	lines = strchr(s, '\n') != NULL;
	length = strlen(s);
	if (has_control_characters(s) || (lines && (key || strspn(s, " \n") == length)))
		add_double_quoted(out, s);
	else if (lines && s[length - 1] != ' ')
		add_literal(out, s, depth);
	else if (lines || means_something_else(s))
		add_double_quoted(out, s);
	else if (is_plain(s))
		strbuf_add(out, s);
	else
		add_single_quoted(out, s);
}

static void add_real(struct strbuf *out, double value)
{
	char text[400];

	node_format_number(value, text, sizeof(text));
	strbuf_add(out, text);
}

/* In YAML docker leaves out what its JSON writes as empty. */
static bool is_left_out(const char *key, const json_t *value, unsigned int depth)
{
	if (depth == 5 && !strcmp(key, "exec") && json_object_size(value) == 1 &&
	    json_is_null(json_object_get(value, "command")))
		return true;
	return depth == 3 && json_is_object(value) && !json_object_size(value) &&
	       (!strcmp(key, "resources") || !strcmp(key, "placement"));
}

static void add_value(struct strbuf *out, const json_t *value, unsigned int depth);

static size_t printed_size(const json_t *object, unsigned int depth)
{
	const char *key;
	json_t *value;
	size_t n = 0;

	json_object_foreach((json_t *)object, key, value)
		n += !is_left_out(key, value, depth);
	return n;
}

static void add_entry(struct strbuf *out, const char *key, const json_t *value, unsigned int depth)
{
	add_string(out, key, depth, true);
	strbuf_addc(out, ':');
	add_value(out, value, depth);
}

/* @first: the first key stands behind a dash, on its line. */
static void add_mapping(struct strbuf *out, const json_t *object, unsigned int depth, bool first)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value) {
		if (is_left_out(key, value, depth))
			continue;
		if (!first)
			add_indent(out, depth);
		first = false;
		add_entry(out, key, value, depth);
	}
}

static void add_sequence(struct strbuf *out, const json_t *array, unsigned int depth)
{
	size_t i;
	json_t *item;

	json_array_foreach(array, i, item) {
		add_indent(out, depth);
		strbuf_addc(out, '-');
		if (json_is_object(item) && json_object_size(item)) {
			strbuf_addc(out, ' ');
			add_mapping(out, item, depth + 1, true);
		} else {
			add_value(out, item, depth);
		}
	}
}

/* The value behind "key:" or "-", with the end of the line. */
static void add_value(struct strbuf *out, const json_t *value, unsigned int depth)
{
	if (json_is_object(value) && printed_size(value, depth + 1)) {
		strbuf_addc(out, '\n');
		add_mapping(out, value, depth + 1, false);
		return;
	}
	if (json_is_array(value) && json_array_size(value)) {
		strbuf_addc(out, '\n');
		add_sequence(out, value, depth + 1);
		return;
	}
	strbuf_addc(out, ' ');
	if (json_is_object(value))
		strbuf_add(out, "{}");
	else if (json_is_array(value))
		strbuf_add(out, "[]");
	else if (json_is_string(value))
		add_string(out, json_string_value(value), depth + 1, false);
	else if (json_is_integer(value))
		strbuf_addf(out, "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		add_real(out, json_real_value(value));
	else
		strbuf_add(out, json_is_null(value)   ? "null"
				: json_is_true(value) ? "true"
						      : "false");
	strbuf_addc(out, '\n');
}

static int write_text(const struct strbuf *text, bool escape, FILE *out)
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

static int render_yaml(const json_t *canonical, bool escape, FILE *out)
{
	static const char *const order[] = {"name",    "services", "networks", "volumes",
					    "secrets", "configs",  "models"};
	_cleanup_strbuf_ struct strbuf text = {0};
	const char *key;
	json_t *value;

	array_foreach(name, order) {
		value = json_object_get(canonical, *name);
		if (value)
			add_entry(&text, *name, value, 0);
	}
	json_object_foreach((json_t *)canonical, key, value)
		if (str_starts_with(key, "x-"))
			add_entry(&text, key, value, 0);
	return write_text(&text, escape, out);
}

/* Go writes what HTML could take for markup as \u. */
static void add_json_string(struct strbuf *out, const char *s)
{
	strbuf_addc(out, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			strbuf_add_n(out, (char[]){'\\', *s}, 2);
		else if (c == '\n')
			strbuf_add(out, "\\n");
		else if (c == '\r')
			strbuf_add(out, "\\r");
		else if (c == '\t')
			strbuf_add(out, "\\t");
		else if (c == '\b')
			strbuf_add(out, "\\b");
		else if (c == '\f')
			strbuf_add(out, "\\f");
		else if (c < 0x20 || c == '<' || c == '>' || c == '&')
			strbuf_addf(out, "\\u%04x", c);
		else
			strbuf_addc(out, *s);
	}
	strbuf_addc(out, '"');
}

static void add_json(struct strbuf *out, const json_t *value, unsigned int depth)
{
	bool object = json_is_object(value), first = true;
	const char *key;
	json_t *child;
	size_t i;

	if (object) {
		strbuf_addc(out, '{');
		json_object_foreach((json_t *)value, key, child) {
			strbuf_add(out, first ? "\n" : ",\n");
			first = false;
			add_indent(out, depth + 1);
			add_json_string(out, key);
			strbuf_add(out, ": ");
			add_json(out, child, depth + 1);
		}
	} else if (json_is_array(value)) {
		strbuf_addc(out, '[');
		json_array_foreach(value, i, child) {
			strbuf_add(out, first ? "\n" : ",\n");
			first = false;
			add_indent(out, depth + 1);
			add_json(out, child, depth + 1);
		}
	} else if (json_is_string(value)) {
		add_json_string(out, json_string_value(value));
	} else if (json_is_integer(value)) {
		strbuf_addf(out, "%lld", (long long)json_integer_value(value));
	} else if (json_is_real(value)) {
		add_real(out, json_real_value(value));
	} else {
		strbuf_add(out, json_is_null(value)   ? "null"
				: json_is_true(value) ? "true"
						      : "false");
	}
	if (!object && !json_is_array(value))
		return;
	if (!first) {
		strbuf_addc(out, '\n');
		add_indent(out, depth);
	}
	strbuf_addc(out, object ? '}' : ']');
}

static int render_json(const json_t *canonical, bool escape, FILE *out)
{
	_cleanup_strbuf_ struct strbuf text = {0};

	add_json(&text, canonical, 0);
	strbuf_addc(&text, '\n');
	return write_text(&text, escape, out);
}

int config_render_yaml(const json_t *canonical, FILE *out)
{
	return render_yaml(canonical, true, out);
}

int config_render_json(const json_t *canonical, FILE *out)
{
	return render_json(canonical, true, out);
}

int config_render_model(const json_t *model, bool json, FILE *out)
{
	return json ? render_json(model, false, out) : render_yaml(model, false, out);
}
