// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/tree/yaml_hint.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct line {
	const char *start; /* behind its indent */
	size_t length;     /* without a comment, or blanks at its end */
	size_t indent;
	uint32_t number;
	bool tab; /* in the indent */
};

/* A comment starts with a blank before it; quotes are not looked at, it is a guess. */
static size_t without_comment(const char *s, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (s[i] == '#' && (i == 0 || s[i - 1] == ' '))
			length = i;
	while (length && strchr(" \t\r", s[length - 1]))
		length--;
	return length;
}

static struct line describe(const char *start, size_t length, uint32_t number)
{
	struct line line = {.number = number};

	line.indent = strspn(start, " ");
	while (line.indent < length && start[line.indent] == '\t') {
		line.tab = true;
		line.indent++;
	}
	if (line.indent > length)
		line.indent = length;
	line.start = start + line.indent;
	line.length = without_comment(line.start, length - line.indent);
	return line;
}

/* Line @number, and the last one above it that says something. */
static bool find_lines(const char *text, uint32_t number, struct line *ret, struct line *ret_above)
{
	*ret_above = (struct line){0};
	for (uint32_t n = 1; *text; n++) {
		size_t length = strcspn(text, "\n");

		*ret = describe(text, length, n);
		if (n == number)
			return ret_above->length > 0;
		if (ret->length)
			*ret_above = *ret;
		text += length + (text[length] == '\n');
	}
	return false;
}

static size_t count(const struct line *line, char wanted)
{
	size_t n = 0;

	for (size_t i = 0; i < line->length; i++)
		n += line->start[i] == wanted;
	return n;
}

/* "key: value", "key:": a colon that has nothing or a blank behind it. */
static size_t colons_that_count(const struct line *line)
{
	size_t n = 0;

	for (size_t i = 0; i < line->length; i++)
		n += line->start[i] == ':' && (i + 1 == line->length || line->start[i + 1] == ' ');
	return n;
}

static bool has_open_quote(const struct line *line)
{
	return count(line, '"') % 2 || (!count(line, '"') && count(line, '\'') % 2);
}

/* A key that YAML takes for a text. */
static bool hint_colon(const struct line *above, char *buffer, size_t size)
{
	if (colons_that_count(above) || *above->start == '-')
		return false;
	if (memchr(above->start, ':', above->length))
		snprintf(buffer, size, "; is a blank missing behind the colon in line %u?",
			 above->number);
	else
		snprintf(buffer, size, "; is a colon missing at the end of line %u?",
			 above->number);
	return true;
}

static void hint_values(const struct line *line, const struct line *above, char *buffer,
			size_t size)
{
	if (has_open_quote(above))
		snprintf(buffer, size, "; is the quote in line %u closed?", above->number);
	else if (line->indent >= above->indent && hint_colon(above, buffer, size))
		return;
	else if (line->indent > above->indent && above->start[above->length - 1] != ':')
		snprintf(buffer, size,
			 "; it is indented deeper than line %u, which has a value already",
			 above->number);
	else if (colons_that_count(line) > 1)
		snprintf(buffer, size, "; a text with ': ' in it has to stand in quotes");
}

static void hint_key(const struct line *line, const struct line *above, char *buffer, size_t size)
{
	if (has_open_quote(above))
		snprintf(buffer, size, "; is the quote in line %u closed?", above->number);
	else if (has_open_quote(line))
		snprintf(buffer, size, "; is the quote in line %u closed?", line->number);
	else if (line->indent != above->indent)
		snprintf(buffer, size, "; it is indented by %zu, line %u by %zu", line->indent,
			 above->number, above->indent);
	else
		(void)hint_colon(above, buffer, size);
}

const char *yaml_hint(const char *text, uint32_t number, const char *problem, uint32_t opened,
		      char *buffer, size_t size)
{
	struct line line = {0}, above = {0};
	bool found = find_lines(text, number, &line, &above);

	*buffer = '\0';
	if (strstr(problem, "did not find expected ','") || strstr(problem, "end of stream")) {
		snprintf(buffer, size, "; what opens in line %u is not closed", opened);
		return buffer;
	}
	if (line.number != number)
		return buffer;
	if (strstr(problem, "cannot start any token")) {
		if (line.tab)
			snprintf(buffer, size, "; tabs cannot indent, only blanks can");
		else
			snprintf(buffer, size,
				 "; a text that begins with it has to stand in "
				 "quotes");
	} else if (!found) {
		return buffer;
	} else if (strstr(problem, "mapping values are not allowed")) {
		hint_values(&line, &above, buffer, size);
	} else if (strstr(problem, "did not find expected key") ||
		   strstr(problem, "did not find expected '-' indicator")) {
		hint_key(&line, &above, buffer, size);
	} else if (strstr(problem, "could not find expected ':'")) {
		snprintf(buffer, size, "; is a colon missing in line %u?", above.number);
	}
	return buffer;
}
