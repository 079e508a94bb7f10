// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/tree/report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

/* Longer lines are cut: a minified file is one line. */
#define SHOWN_WIDTH 160

struct problem {
	struct error error;
	struct position at;
	size_t number; /* in the order in which they were found */
};

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

static bool is_known(const struct report *report, const struct error *error)
{
	for (size_t i = 0; i < report->kept; i++)
		if (!strcmp(report->problems[i].error.message, error->message) &&
		    !strcmp(report->problems[i].error.where, error->where))
			return true;
	return false;
}

void report_error(struct report *report, const struct position *at, const struct error *error)
{
	struct problem *problem;

	if (is_known(report, error))
		return;
	report->count++;
	if (report->kept >= REPORT_MAX)
		return;
	problem = array_add(report->problems, report->kept);
	problem->error = *error;
	problem->at = at ? *at : (struct position){0};
	problem->number = report->kept;
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

/* What stands in no file is told last. */
static int compare_places(const struct position *a, const struct position *b)
{
	if (!a->source || !b->source)
		return !a->source - !b->source;
	if (a->source->number != b->source->number)
		return a->source->number < b->source->number ? -1 : 1;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return a->column < b->column ? -1 : a->column > b->column;
}

static int compare_problems(const void *a, const void *b)
{
	const struct problem *x = a, *y = b;
	int order = compare_places(&x->at, &y->at);

	return order ? order : x->number < y->number ? -1 : x->number > y->number;
}

int report_result(const struct report *report, struct error *err)
{
	const struct problem *first = report->problems;

	if (!report->count)
		return 0;
	for (size_t i = 1; i < report->kept; i++)
		if (compare_problems(&report->problems[i], first) < 0)
			first = &report->problems[i];
	*err = first->error;
	return -err->code;
}

char *report_text(struct report *report)
{
	struct strbuf text = {0};
	char line[ERROR_TEXT_MAX];

	if (report->kept)
		qsort(report->problems, report->kept, sizeof(*report->problems), compare_problems);
	for (size_t i = 0; i < report->kept; i++) {
		const struct problem *problem = &report->problems[i];

		strbuf_add(&text, error_text(&problem->error, line, sizeof(line)));
		strbuf_addc(&text, '\n');
		if (problem->at.source && problem->at.line)
			show_line(&text, &problem->at);
	}
	if (report->count > report->kept)
		strbuf_addf(&text, "... and %zu more errors\n", report->count - report->kept);
	return strbuf_take(&text);
}

void report_done(struct report *report)
{
	free(report->problems);
	*report = (struct report){0};
}
