// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/tree/report.h"

#include <stdarg.h>
#include <string.h>

/* Longer lines are cut: a minified file is one line. */
#define SHOWN_WIDTH 160

static const char *find_line(const struct source *source, unsigned int line, size_t *ret_length)
{
	const char *at = source->text, *end;

	if (!at || !line)
		return NULL;
	while (--line) {
		at = strchr(at, '\n');
		if (!at)
			return NULL;
		at++;
	}
	end = strchr(at, '\n');
	*ret_length = end ? (size_t)(end - at) : strlen(at);
	return at;
}

static void show_line(struct strbuf *text, const struct position *at)
{
	size_t length = 0;
	const char *line = find_line(at->source, at->line, &length);

	if (!line || at->column > SHOWN_WIDTH)
		return;
	strbuf_addf(text, "%5u | ", at->line);
	strbuf_add_n(text, line, length < SHOWN_WIDTH ? length : SHOWN_WIDTH);
	strbuf_add(text, "\n      | ");
	for (unsigned int i = 1; i < at->column && i <= length; i++)
		strbuf_addc(text, line[i - 1] == '\t' ? '\t' : ' ');
	strbuf_add(text, "^\n");
}

void report_error(struct report *report, const struct position *at, const struct error *error)
{
	char line[ERROR_TEXT_MAX];

	if (!report->count)
		report->first = *error;
	if (report->count++ >= REPORT_MAX)
		return;
	strbuf_add(&report->text, error_text(error, line, sizeof(line)));
	strbuf_addc(&report->text, '\n');
	if (at && at->source && at->line)
		show_line(&report->text, at);
}

void report_add(struct report *report, const struct position *at, const char *format, ...)
{
	struct error error = ERROR_INIT;
	char message[sizeof(error.message)];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	(void)error_at(&error, at, "%s", message);
	report_error(report, at, &error);
}

int report_result(const struct report *report, struct error *err)
{
	if (!report->count)
		return 0;
	*err = report->first;
	return -err->code;
}

void report_done(struct report *report)
{
	strbuf_done(&report->text);
	*report = (struct report){0};
}
