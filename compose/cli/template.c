// SPDX-License-Identifier: GPL-2.0-or-later
/* --format: rows as a table, as JSON, or through a template. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/view/go_template.h"
#include "compose/cli/view/output.h"

DEFINE_CLEANUP(struct template *, template_free);

char *output_value(const json_t *value)
{
	if (!value || json_is_null(value))
		return alloc_string("");
	if (json_is_string(value))
		return alloc_string(json_string_value(value));
	return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
}

/* The words over the columns of "table {{.Name}}\t{{.RunningFor}}": NAME, CREATED, ... */
static void put_heading(json_t *row, const char *key, size_t length)
{
	_cleanup_strbuf_ struct strbuf words = {0};

	for (const char *p = key; p < key + length; p++) {
		if (p > key && isupper((unsigned char)*p) && islower((unsigned char)p[-1]))
			strbuf_addc(&words, ' ');
		strbuf_addc(&words, (char)toupper((unsigned char)*p));
	}
	json_object_setn_new(row, key, length, json_string(words.data));
}

/* A heading for every field that the template mentions, there being rows or not. */
static json_t *header_row(const char *const *columns, const char *template)
{
	json_t *row = json_object();

	for (const char *dot = strchr(template, '.'); dot; dot = strchr(dot + 1, '.')) {
		size_t length = 0;

		while (isalnum((unsigned char)dot[1 + length]))
			length++;
		if (length)
			put_heading(row, dot + 1, length);
	}
	for (; *columns; columns += 2)
		json_object_set_new(row, columns[1], json_string(columns[0]));
	return row;
}

static int print_templates(const json_t *rows, const char *text, struct error *err)
{
	_cleanup_(cleanup_template_free) struct template *template = NULL;
	size_t i;
	json_t *row;
	int r = template_parse(text, &template, err);

	json_array_foreach(rows, i, row) {
		_cleanup_strbuf_ struct strbuf line = {0};

		if (r >= 0)
			r = template_render(template, row, &line, err);
		if (r < 0)
			break;
		puts(line.data ? line.data : "");
	}
	return r;
}

static int table_add_line(struct table *table, json_t *row, const struct template *template,
			  struct error *err)
{
	_cleanup_strbuf_ struct strbuf line = {0};
	int r = template_render(template, row, &line, err);
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

static int print_template_table(const json_t *rows, const char *text, const char *const *columns,
				struct error *err)
{
	_cleanup_(cleanup_template_free) struct template *template = NULL;
	_cleanup_json_ json_t *header = header_row(columns, text);
	struct table table = {0};
	size_t i;
	json_t *row;
	int r;

	while (*text == ' ')
		text++;
	r = template_parse(text, &template, err);
	if (r < 0)
		return r;
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

void output_table(const json_t *rows, const char *const *columns, enum output_style style,
		  FILE *out)
{
	size_t min_width = style == OUTPUT_LINES ? 10 : 20;
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
	table_print(&table, min_width, out);
	table_done(&table);
}

int output_rows(const json_t *rows, const char *format, const char *const *columns,
		enum output_style style, struct error *err)
{
	size_t i;
	json_t *row;

	if (!format || !format[0] || !strcmp(format, "table")) {
		output_table(rows, columns, style, stdout);
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

int output_inspected(const json_t *rows, const char *format, struct error *err)
{
	static const char *const none[] = {NULL};
	_cleanup_free_ char *text = NULL;

	if (format && format[0])
		return output_rows(rows, format, none, OUTPUT_LINES, err);
	text = json_dumps(rows, JSON_INDENT(4));
	puts(text);
	return 0;
}

char *output_labels(const json_t *labels)
{
	struct strbuf text = {0};
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)labels, key, value)
		strbuf_addf(&text, "%s%s=%s", text.length ? "," : "", key,
			    json_string_value(value) ?: "");
	return text.data ? strbuf_take(&text) : alloc_string("");
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *output_attributes(const json_t *attributes)
{
	_cleanup_free_ const char **keys =
		new_array(const char *, json_object_size(attributes) + 1);
	struct strbuf text = {0};
	size_t count = 0;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)attributes, key, value)
		keys[count++] = key;
	qsort(keys, count, sizeof(*keys), by_name);
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *shown = output_value(json_object_get(attributes, keys[i]));

		strbuf_addf(&text, "%s%s=%s", i ? ", " : "", keys[i], shown);
	}
	return text.data ? strbuf_take(&text) : alloc_string("");
}
