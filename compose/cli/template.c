// SPDX-License-Identifier: GPL-2.0-or-later
/* The part of Go's templates that people use with --format. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/output.h"

char *output_value(const json_t *value)
{
	if (!value || json_is_null(value))
		return alloc_string("");
	if (json_is_string(value))
		return alloc_string(json_string_value(value));
	return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
}

static char *label_value(const json_t *row, const char *name)
{
	const char *labels = json_get_string(row, "Labels");
	_cleanup_strv_ char **list = labels ? strv_split(labels, ",") : NULL;
	const char *value = strv_env_get(list, name);

	return alloc_string(value ? value : "");
}

static const json_t *field(const json_t *row, const char *word, struct error *err)
{
	const json_t *value = row;

	if (word[0] != '.') {
		error_set(err, EINVAL, "template: function \"%s\" not defined", word);
		return NULL;
	}
	if (!word[1])
		return row;
	value = json_object_get(row, word + 1);
	if (!value)
		error_set(err, EINVAL, "template: can't evaluate field %s", word + 1);
	return value;
}

static void change_case(char *text, int (*change)(int))
{
	for (; *text; text++)
		*text = (char)change((unsigned char)*text);
}

/* "json .X", "upper .X", ...: the text, or NULL with an error. */
static char *call(const json_t *row, const char *function, const char *argument, struct error *err)
{
	const json_t *value = field(row, argument, err);
	char *text;

	if (!value)
		return NULL;
	if (!strcmp(function, "json"))
		return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	text = output_value(value);
	if (!strcmp(function, "upper")) {
		change_case(text, toupper);
	} else if (!strcmp(function, "lower")) {
		change_case(text, tolower);
	} else if (!strcmp(function, "len")) {
		size_t n = json_is_array(value) ? json_array_size(value) : strlen(text);

		free(text);
		text = str_printf("%zu", n);
	} else if (strcmp(function, "print") && strcmp(function, "println")) {
		free(text);
		error_set(err, EINVAL, "template: function \"%s\" not defined", function);
		return NULL;
	}
	return text;
}

static char *evaluate(const json_t *row, const char *action, size_t length, struct error *err)
{
	_cleanup_free_ char *copy = alloc_string_n(action, length);
	_cleanup_strv_ char **words = strv_split(copy, " \t");
	size_t n = strv_length(words), size;
	const json_t *value;

	if (n == 1) {
		value = field(row, words[0], err);
		return value ? output_value(value) : NULL;
	}
	size = n == 2 ? strlen(words[1]) : 0;
	if (n == 2 && !strcmp(words[0], ".Label") && size >= 2 && words[1][0] == '"') {
		words[1][size - 1] = 0;
		return label_value(row, words[1] + 1);
	}
	if (n == 2)
		return call(row, words[0], words[1], err);
	error_set(err, EINVAL, "template parsing error: cannot read {{%s}}", copy);
	return NULL;
}

static int render(const json_t *row, const char *template, struct strbuf *out, struct error *err)
{
	const char *p = template;

	while (*p) {
		if (p[0] == '\\' && (p[1] == 't' || p[1] == 'n')) {
			strbuf_addc(out, p[1] == 't' ? '\t' : '\n');
			p += 2;
		} else if (p[0] == '{' && p[1] == '{') {
			const char *end = strstr(p, "}}");
			_cleanup_free_ char *text = NULL;

			if (!end)
				return error_set(err, EINVAL,
						 "template parsing error: unclosed action");
			text = evaluate(row, p + 2, (size_t)(end - p - 2), err);
			if (!text)
				return -err->code;
			strbuf_add(out, text);
			p = end + 2;
		} else {
			strbuf_addc(out, *p++);
		}
	}
	return 0;
}

/* The words over the columns of "table {{.Name}}\t{{.RunningFor}}": NAME, CREATED, ... */
static json_t *header_row(const char *const *columns, const json_t *sample)
{
	json_t *row = json_object();
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)sample, key, value) {
		_cleanup_strbuf_ struct strbuf words = {0};

		for (const char *p = key; *p; p++) {
			if (p > key && isupper((unsigned char)*p) && islower((unsigned char)p[-1]))
				strbuf_addc(&words, ' ');
			strbuf_addc(&words, (char)toupper((unsigned char)*p));
		}
		json_object_set_new(row, key, json_string(words.data));
	}
	for (; *columns; columns += 2)
		json_object_set_new(row, columns[1], json_string(columns[0]));
	return row;
}

static int print_templates(const json_t *rows, const char *template, struct error *err)
{
	size_t i;
	json_t *row;

	json_array_foreach(rows, i, row) {
		_cleanup_strbuf_ struct strbuf line = {0};
		int r = render(row, template, &line, err);

		if (r < 0)
			return r;
		puts(line.data ? line.data : "");
	}
	return 0;
}

static int table_add_line(struct table *table, const json_t *row, const char *template,
			  struct error *err)
{
	_cleanup_strbuf_ struct strbuf line = {0};
	int r = render(row, template, &line, err);
	char *rest = line.data, *cell;
	size_t n = 0;

	if (r < 0)
		return r;
	while ((cell = strsep(&rest, "\t"))) {
		table_add(table, cell);
		n++;
	}
	if (table->columns == 0)
		table->columns = n;
	for (; n < table->columns; n++)
		table_add(table, "");
	return 0;
}

static int print_template_table(const json_t *rows, const char *template,
				const char *const *columns, struct error *err)
{
	_cleanup_json_ json_t *header = header_row(columns, json_array_get(rows, 0));
	struct table table = {0};
	size_t i;
	json_t *row;
	int r;

	while (*template == ' ')
		template ++;
	r = table_add_line(&table, header, template, err);
	json_array_foreach(rows, i, row) {
		if (r >= 0)
			r = table_add_line(&table, row, template, err);
	}
	if (r >= 0)
		table_print(&table, 10, stdout);
	table_done(&table);
	return r;
}

static void print_table(const json_t *rows, const char *const *columns, size_t min_width)
{
	struct table table = {0};
	size_t i;
	json_t *row;

	for (const char *const *c = columns; *c; c += 2) {
		table.columns++;
		table_add(&table, c[0]);
	}
	json_array_foreach(rows, i, row) {
		for (const char *const *c = columns; *c; c += 2) {
			_cleanup_free_ char *text = output_value(json_object_get(row, c[1]));

			table_add(&table, text);
		}
	}
	table_print(&table, min_width, stdout);
	table_done(&table);
}

int output_rows(const json_t *rows, const char *format, const char *const *columns,
		enum output_style style, struct error *err)
{
	size_t i;
	json_t *row;

	if (!format || !format[0] || !strcmp(format, "table")) {
		print_table(rows, columns, style == OUTPUT_LINES ? 10 : 20);
		return 0;
	}
	if (!strcmp(format, "json") && style == OUTPUT_ARRAY) {
		_cleanup_free_ char *text = json_text(rows);

		puts(text);
		return 0;
	}
	if (!strcmp(format, "json")) {
		json_array_foreach(rows, i, row) {
			_cleanup_free_ char *text = json_text_sorted(row);

			puts(text);
		}
		return 0;
	}
	if (str_starts_with(format, "table "))
		return print_template_table(rows, format + 6, columns, err);
	return print_templates(rows, format, err);
}
