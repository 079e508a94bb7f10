// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/build/problems.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"

#define EXCERPT_WIDTH  160
#define EXCERPT_LINES  12 /* of one instruction */
#define EXCERPT_AROUND 2

void source_text_init(struct source_text *source, const char *name, const char *text, size_t size)
{
	*source = (struct source_text){.name = alloc_string(name), .size = size};
	source->text = alloc(size + 1);
	memcpy(source->text, text, size);
	source->text[size] = '\0';
	*array_add(source->line_starts, source->line_count) = 0;
	for (size_t i = 0; i < size; i++)
		if (text[i] == '\n' && i + 1 < size)
			*array_add(source->line_starts, source->line_count) = i + 1;
}

void source_text_done(struct source_text *source)
{
	free(source->name);
	free(source->text);
	free(source->line_starts);
	*source = (struct source_text){0};
}

/* Tabs are kept in the caret's line, so that it stands below its word. */
static void add_caret(const char *line, size_t length, const struct place *place,
		      struct strbuf *out)
{
	size_t at = place->column ? place->column - 1 : strspn(line, " \t");
	size_t width = place->width ? place->width : 1;

	if (!place->column && !place->width)
		width = length > at ? length - at : 1;
	if (at > length)
		at = length;
	strbuf_add(out, "     | ");
	for (size_t i = 0; i < at; i++)
		strbuf_addc(out, line[i] == '\t' ? '\t' : ' ');
	strbuf_addc(out, '^');
	for (size_t i = 1; i < width && at + i < length; i++)
		strbuf_addc(out, '~');
	strbuf_addc(out, '\n');
}

static const char *find_line(const struct source_text *source, unsigned int line, size_t *ret)
{
	const char *text = source->text + source->line_starts[line - 1];

	*ret = strcspn(text, "\r\n");
	if (*ret > EXCERPT_WIDTH)
		*ret = EXCERPT_WIDTH;
	return text;
}

static void add_line(const char *text, size_t length, struct strbuf *out)
{
	for (size_t i = 0; i < length; i++)
		strbuf_addc(out, (unsigned char)text[i] < ' ' && text[i] != '\t' ? '?' : text[i]);
	strbuf_addc(out, '\n');
}

void problems_excerpt(const struct source_text *source, const struct place *place,
		      struct strbuf *out)
{
	const char *line;
	size_t length;

	if (!place->line || place->line > source->line_count)
		return;
	line = find_line(source, place->line, &length);
	if (!length)
		return;
	strbuf_addf(out, "%4u | ", place->line);
	add_line(line, length, out);
	add_caret(line, length, place, out);
}

void problems_around(const struct source_text *source, unsigned int first, unsigned int last,
		     struct strbuf *out)
{
	unsigned int from = first > EXCERPT_AROUND ? first - EXCERPT_AROUND : 1;
	unsigned int to = last < first ? first : last;

	if (!first || first > source->line_count)
		return;
	to = to + EXCERPT_AROUND > source->line_count ? (unsigned int)source->line_count
						      : to + EXCERPT_AROUND;
	/* Empty lines at the ends say nothing. */
	for (unsigned int line = from; line <= to; line++) {
		bool marked = line >= first && line <= last;
		size_t length;
		const char *text = find_line(source, line, &length);

		if (marked && line - first >= EXCERPT_LINES) {
			strbuf_addf(out, "  ... | and %u lines more\n", last - line + 1);
			line = last;
			continue;
		}
		if (!length && (line == from || line == to))
			continue;
		strbuf_addf(out, "%c %4u | ", marked ? '>' : ' ', line);
		add_line(text, length, out);
	}
}

void problems_add(struct problems *problems, const struct place *place, const char *format, ...)
{
	char message[384], where[128];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	if (place->column)
		snprintf(where, sizeof(where), "%.90s:%u:%u", problems->source->name, place->line,
			 place->column);
	else
		snprintf(where, sizeof(where), "%.90s:%u", problems->source->name, place->line);
	if (problems->count++ == 0)
		error_where(&problems->first, where, "%s", message);
	if (problems->count > PROBLEMS_MAX)
		return;
	strbuf_addf(&problems->text, "%s: %s\n", where, message);
	problems_excerpt(problems->source, place, &problems->text);
}

void problems_done(struct problems *problems)
{
	strbuf_done(&problems->text);
}
