// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/model/emit.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

#include "compose/model/emit_text.h"
#include "compose/tree/node.h"

/* Words that YAML 1.1 took for booleans, written in quotes for readers that still do; and "<<". */
static bool is_old_boolean(const char *s)
{
	static const char *const words[] = {"y", "Y",  "yes", "Yes", "YES", "on",  "On",  "ON", "n",
					    "N", "no", "No",  "NO",  "off", "Off", "OFF", "<<"};

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

/*
 * The character at *@s, which is moved behind it, and whether yaml.v3 writes it as it is: not so
 * control characters, the byte order mark, and everything beyond the first plane.
 */
static uint32_t next_character(const char **s, bool *ret_printable)
{
	const unsigned char *c = (const unsigned char *)*s;
	unsigned int more = *c >= 0xf0 ? 3 : *c >= 0xe0 ? 2 : *c >= 0xc0 ? 1 : 0;
	uint32_t code = more == 3 ? *c & 7 : more == 2 ? *c & 15 : more == 1 ? *c & 31 : *c;

	for (*s += 1; more && (*++c & 0xc0) == 0x80; more--, *s += 1)
		code = code << 6 | (*c & 0x3f);
	*ret_printable = (code >= 0x20 && code <= 0x7e) ||
			 (code >= 0xa0 && code <= 0xfffd && code != 0xfeff);
	return code;
}

/* A tab may stand in a block of lines, but not in what is one line. */
static bool has_special_characters(const char *s, bool lines)
{
	while (*s) {
		bool printable, layout = *s == '\n' || (lines && *s == '\t');

		next_character(&s, &printable);
		if (!printable && !layout)
			return true;
	}
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
	while (*s) {
		const char *at = strchr(letters, *s), *start = s;
		bool printable;
		uint32_t code = next_character(&s, &printable);

		if (at)
			strbuf_add_n(out, (char[]){'\\', names[at - letters]}, 2);
		else if (code == 0x85)
			strbuf_add(out, "\\N");
		else if (printable)
			strbuf_add_n(out, start, (size_t)(s - start));
		else
			strbuf_addf(out,
				    code <= 0xff     ? "\\x%02X"
				    : code <= 0xffff ? "\\u%04X"
						     : "\\U%08X",
				    code);
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
			emit_indent(out, depth);
		strbuf_add_n(out, s, line);
		s += line;
		if (*s == '\n')
			s++;
	}
}

/* Whether a word with this first letter, as short as that, may be one of YAML's own. */
static bool may_be_keyword(const char *s, size_t length)
{
	return length <= strlen("false") && strchr("fFnNoOtTyY", *s);
}

/*
 * Most texts are words, paths and names of images: they begin with a letter or a slash, go on with
 * what means nothing to YAML, and are none of its own words.
 */
static bool is_simple(const char *s, size_t *ret_length)
{
	static const bool plain[256] = {
		['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['_'] = true,
		['.'] = true,         ['-'] = true,         ['/'] = true,         ['='] = true,
	};
	size_t n = 0;

	if (!isalpha((unsigned char)*s) && *s != '/')
		return false;
	/* A colon ends a key only where the word ends. */
	while (plain[(unsigned char)s[n]] || (s[n] == ':' && plain[(unsigned char)s[n + 1]]))
		n++;
	*ret_length = n;
	return !s[n] && !may_be_keyword(s, n);
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
	if (has_special_characters(s, lines) ||
	    (lines && (key || strspn(s, " \n") == length || strstr(s, " \n"))))
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

struct emission {
	struct strbuf text;
	bool model; /* as it is written, and no project: all of it */
};

static bool is_empty(const json_t *value)
{
	return json_is_object(value) && !json_object_size(value);
}

/* In YAML docker leaves out of a project what its JSON writes as empty: Go's encoders differ. */
static bool is_left_out(const struct emission *e, const char *key, const json_t *value,
			unsigned int depth)
{
	if (e->model)
		return false;
	if (depth == 2 && json_is_null(value))
		return !strcmp(key, "command") || !strcmp(key, "entrypoint");
	if (depth == 2)
		return !strcmp(key, "ipam") && is_empty(value);
	if (depth == 3)
		return (!strcmp(key, "resources") || !strcmp(key, "placement")) && is_empty(value);
	return depth == 5 && !strcmp(key, "exec") && json_object_size(value) == 1 &&
	       json_is_null(json_object_get(value, "command"));
}

static void add_value(struct emission *e, const json_t *value, unsigned int depth);

static size_t printed_size(const struct emission *e, const json_t *object, unsigned int depth)
{
	const char *key;
	json_t *value;
	size_t n = 0;

	json_object_foreach((json_t *)object, key, value)
		n += !is_left_out(e, key, value, depth);
	return n;
}

static void add_entry(struct emission *e, const char *key, const json_t *value, unsigned int depth)
{
	add_string(&e->text, key, depth, true);
	strbuf_addc(&e->text, ':');
	add_value(e, value, depth);
}

/* @first: the first key stands behind a dash, on its line. */
static void add_mapping(struct emission *e, const json_t *object, unsigned int depth, bool first)
{
	_cleanup_free_ struct emit_entry *entries = emit_order(object);
	const struct emit_entry *end = entries + json_object_size(object);

	for (const struct emit_entry *entry = entries; entry < end; entry++) {
		if (is_left_out(e, entry->key, entry->value, depth))
			continue;
		if (!first)
			emit_indent(&e->text, depth);
		first = false;
		add_entry(e, entry->key, entry->value, depth);
	}
}

/* @first: the first item stands behind the dash of the list that it is in. */
static void add_sequence(struct emission *e, const json_t *array, unsigned int depth, bool first)
{
	size_t i;
	json_t *item;

	json_array_foreach(array, i, item) {
		if (!first)
			emit_indent(&e->text, depth);
		first = false;
		strbuf_addc(&e->text, '-');
		if (json_is_object(item) && json_object_size(item)) {
			strbuf_addc(&e->text, ' ');
			add_mapping(e, item, depth + 1, true);
		} else if (json_is_array(item) && json_array_size(item)) {
			strbuf_addc(&e->text, ' ');
			add_sequence(e, item, depth + 1, true);
		} else {
			add_value(e, item, depth);
		}
	}
}

/* The value behind "key:" or "-", with the end of the line. */
static void add_value(struct emission *e, const json_t *value, unsigned int depth)
{
	if (json_is_object(value) && printed_size(e, value, depth + 1)) {
		strbuf_addc(&e->text, '\n');
		add_mapping(e, value, depth + 1, false);
		return;
	}
	if (json_is_array(value) && json_array_size(value)) {
		strbuf_addc(&e->text, '\n');
		add_sequence(e, value, depth + 1, false);
		return;
	}
	strbuf_addc(&e->text, ' ');
	if (json_is_object(value))
		strbuf_add(&e->text, "{}");
	else if (json_is_array(value))
		strbuf_add(&e->text, "[]");
	else if (json_is_string(value))
		add_string(&e->text, json_string_value(value), depth + 1, false);
	else if (json_is_integer(value))
		strbuf_addf(&e->text, "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		add_real(&e->text, json_real_value(value));
	else
		strbuf_add(&e->text, json_is_null(value)   ? "null"
				     : json_is_true(value) ? "true"
							   : "false");
	strbuf_addc(&e->text, '\n');
}

static int write_yaml(struct emission *e, bool escape, FILE *out)
{
	int r = emit_write(&e->text, escape, out);

	strbuf_done(&e->text);
	return r;
}

int config_render_yaml(const json_t *canonical, FILE *out)
{
	static const char *const order[] = {"name",    "services", "networks", "volumes",
					    "secrets", "configs",  "models"};
	struct emission e = {0};
	const char *key;
	json_t *value;

	array_foreach(name, order) {
		value = json_object_get(canonical, *name);
		if (value)
			add_entry(&e, *name, value, 0);
	}
	e.model = true;
	json_object_foreach((json_t *)canonical, key, value)
		if (str_starts_with(key, "x-"))
			add_entry(&e, key, value, 0);
	return write_yaml(&e, true, out);
}

int config_render_value_yaml(const json_t *value, FILE *out)
{
	struct emission e = {.model = true};

	if (json_object_size(value))
		add_mapping(&e, value, 0, false);
	else
		strbuf_add(&e.text, "{}\n");
	return write_yaml(&e, false, out);
}
