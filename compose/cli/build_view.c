// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/build_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/output.h"
#include "compose/cli/project_args.h"

struct shown_step {
	char *owner, *title;
	unsigned int step;
	struct strbuf line; /* of its output, not ended yet */
	int64_t started_usec;
};

struct build_view {
	bool json, quiet, color;
	FILE *out;
	struct shown_step *steps; /* shown as #1, #2, ... */
	size_t count, last;
};

struct build_view *build_view_new(const struct project_args *args, bool quiet)
{
	struct build_view *view = new_array(struct build_view, 1);

	view->out = project_args_switch("COMPOSE_STATUS_STDOUT") ? stdout : stderr;
	view->quiet = quiet || str_equal(args->progress, "quiet");
	view->json = str_equal(args->progress, "json") || str_equal(args->progress, "rawjson");
	view->color = output_color(args, fileno(view->out));
	return view;
}

/* "[2/4] RUN x" of web: "[web 2/4] RUN x". */
static char *title_of(const char *owner, const char *name)
{
	if (!owner || *name != '[')
		return alloc_string(name);
	return str_printf("[%s %s", owner, name + 1);
}

static size_t find_step(struct build_view *view, const char *owner, const struct build_event *event)
{
	struct shown_step *step;

	for (size_t i = 0; i < view->count; i++)
		if (view->steps[i].step == event->step && str_equal(view->steps[i].owner, owner))
			return i;
	step = array_add(view->steps, view->count);
	step->owner = alloc_string(owner);
	step->step = event->step;
	step->title = title_of(owner, event->name ?: "");
	step->started_usec = units_monotonic_usec();
	return view->count - 1;
}

static void print_json(struct build_view *view, size_t index, const char *status, const char *text,
		       const char *details)
{
	_cleanup_json_ json_t *line = json_object();
	_cleanup_free_ char *id = str_printf("#%zu %s", index + 1, view->steps[index].title);
	_cleanup_free_ char *out = NULL;

	json_put_string(line, "id", id);
	if (view->steps[index].owner)
		json_put_string(line, "parent_id", view->steps[index].owner);
	json_put_string(line, "status", status);
	json_put_string(line, "text", text);
	if (details)
		json_object_set_new(line, "details",
				    json_string(details) ?: json_string("(not UTF-8)"));
	out = json_text(line);
	fprintf(view->out, "%s\n", out);
}

/* Steps that go on side by side are kept apart by an empty line, as BuildKit does. */
static void turn_to(struct build_view *view, size_t index)
{
	if (view->last != index + 1 && view->last)
		fputc('\n', view->out);
	if (view->last != index + 1 && view->last)
		fprintf(view->out, "#%zu %s\n", index + 1, view->steps[index].title);
	view->last = index + 1;
}

static void print_log_line(struct build_view *view, size_t index, const char *line, size_t length)
{
	struct shown_step *step = &view->steps[index];
	double since = (double)(units_monotonic_usec() - step->started_usec) / 1e6;

	if (view->json) {
		_cleanup_free_ char *text = alloc_string_n(line, length);

		print_json(view, index, "Working", "Building", text);
		return;
	}
	turn_to(view, index);
	fprintf(view->out, "#%zu %.3f ", index + 1, since);
	/* A step's output may hold anything; the terminal gets text. */
	for (size_t i = 0; i < length; i++)
		if (line[i] != '\r' && ((unsigned char)line[i] >= ' ' || line[i] == '\t'))
			fputc(line[i], view->out);
	fputc('\n', view->out);
}

static void print_log(struct build_view *view, size_t index, const char *text, size_t length)
{
	struct strbuf *line = &view->steps[index].line;
	char *newline;

	strbuf_add_n(line, text, length);
	while (line->length && (newline = memchr(line->data, '\n', line->length))) {
		size_t n = (size_t)(newline - line->data);

		print_log_line(view, index, line->data, n);
		memmove(line->data, newline + 1, line->length - n);
		line->length -= n + 1;
	}
}

static void end_log(struct build_view *view, size_t index)
{
	struct strbuf *line = &view->steps[index].line;

	if (line->length)
		print_log_line(view, index, line->data, line->length);
	line->length = 0;
}

static void print_end(struct build_view *view, size_t index, const struct build_event *event)
{
	static const char *const words[] = {[BUILD_STEP_CACHED] = "CACHED",
					    [BUILD_STEP_DONE] = "DONE",
					    [BUILD_STEP_FAILED] = "ERROR"};

	end_log(view, index);
	if (view->json) {
		print_json(view, index, event->kind == BUILD_STEP_FAILED ? "Error" : "Done",
			   event->kind == BUILD_STEP_CACHED ? "Cached" : "Built", NULL);
		return;
	}
	if (view->last != index + 1)
		turn_to(view, index);
	fprintf(view->out, "#%zu %s", index + 1, words[event->kind]);
	if (event->kind == BUILD_STEP_DONE)
		fprintf(view->out, " %.1fs", (double)event->usec / 1e6);
	fputs("\n\n", view->out);
	view->last = 0;
}

void build_view_event(struct build_view *view, const char *owner, const struct build_event *event)
{
	size_t index;

	if (event->kind == BUILD_WARNING) {
		if (!view->quiet)
			output_warn("%s%s%.*s", owner ?: "", owner ? ": " : "", (int)event->length,
				    event->text);
		return;
	}
	if (view->quiet)
		return;
	index = find_step(view, owner, event);
	switch (event->kind) {
	case BUILD_STEP_STARTED:
	case BUILD_STEP_CACHED:
		if (view->json) {
			if (event->kind == BUILD_STEP_STARTED)
				print_json(view, index, "Working", "Building", NULL);
		} else if (view->last != index + 1) {
			if (view->last)
				fputc('\n', view->out);
			fprintf(view->out, "#%zu %s\n", index + 1, view->steps[index].title);
			view->last = index + 1;
		}
		if (event->kind == BUILD_STEP_CACHED)
			print_end(view, index, event);
		break;
	case BUILD_STEP_LOG:
		print_log(view, index, event->text, event->length);
		break;
	default:
		print_end(view, index, event);
	}
	fflush(view->out);
}

void build_view_free(struct build_view *view)
{
	for (size_t i = 0; view && i < view->count; i++) {
		free(view->steps[i].owner);
		free(view->steps[i].title);
		strbuf_done(&view->steps[i].line);
	}
	if (view)
		free(view->steps);
	free(view);
}
