// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a build says: its events, and errors with their place and the lines around it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/build/build.h"

int build_fail_at(struct build *build, const struct instruction *instruction, int code,
		  struct error *err, const char *format, ...)
{
	char message[sizeof(err->message)];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	error_set(err, code, "%s", message);
	return build_wrap_at(build, instruction, err);
}

int build_wrap_at(struct build *build, const struct instruction *instruction, struct error *err)
{
	const struct source_text *source = &build->dockerfile->source;
	_cleanup_strbuf_ struct strbuf text = {0};

	if (err->where[0])
		return -err->code; /* an inner one knew better */
	snprintf(err->where, sizeof(err->where), "%.90s:%u:%u", source->name,
		 instruction->place.line, instruction->place.column);
	strbuf_addf(&text, "%s%s: %s\n", build->result->report ?: "", err->where, err->message);
	problems_around(source, instruction->place.line, instruction->last_line, &text);
	free(build->result->report);
	build->result->report = strbuf_take(&text);
	return -err->code;
}

void build_emit(struct build *build, const struct build_event *event)
{
	if (build->with->event)
		build->with->event(build->with->data, event);
}

void build_warn(struct build *build, const char *format, ...)
{
	char message[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	build_emit(build, &(struct build_event){.kind = BUILD_WARNING,
						.text = message,
						.length = strlen(message)});
}

void step_emit(struct build *build, const struct step *step, enum build_event_kind kind)
{
	build_emit(build,
		   &(struct build_event){
			   .kind = kind,
			   .step = step->number,
			   .name = step->title,
			   .usec = step->started_usec ? units_monotonic_usec() - step->started_usec
						      : 0,
		   });
}
void step_report_failure(struct build *build, const struct step *step)
{
	_cleanup_strbuf_ struct strbuf text = {0};
	const char *log = step->log.data ?: "";
	size_t length = step->log.length, lines = 0, at = length;

	while (at > 0 && lines <= 40)
		if (log[--at] == '\n')
			lines++;
	at = lines > 40 ? at + 1 : 0;
	strbuf_addf(&text, " > %s:\n", step->title);
	if (length)
		strbuf_addf(&text, "------\n%.*s%s------\n", (int)(length - at), log + at,
			    log[length - 1] == '\n' ? "" : "\n");
	free(build->result->report);
	build->result->report = strbuf_take(&text);
}
