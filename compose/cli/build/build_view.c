// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/build/build_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/registry/pull_view.h"
#include "compose/cli/view/columns.h"
#include "compose/cli/view/output.h"
#include "compose/cli/view/progress.h"

#define PULL_EVERY_USEC 1000000 /* a line of a layer's bytes */
#define LINE_MOST       65536   /* bytes of output without an end of line */

struct shown_step {
	char *owner, *title;
	unsigned int step;  /* 0: a pull */
	struct strbuf line; /* of its output, not ended yet */
	int64_t started_usec, told_usec;
};

struct build_view {
	bool json, quiet;
	FILE *out;
	struct progress *screen; /* on a terminal, else NULL */
	struct pull_view pulls;
	char **warnings;          /* they would go through what is drawn: for the end */
	struct shown_step *steps; /* shown as #1, #2, ... */
	size_t count, last;
};

struct build_view *build_view_new(const struct project_args *args, bool quiet)
{
	struct build_view *view = new_array(struct build_view, 1);

	view->out = project_args_switch("COMPOSE_STATUS_STDOUT") ? stdout : stderr;
	view->quiet = quiet || str_equal(args->progress, "quiet");
	view->json = str_equal(args->progress, "json") || str_equal(args->progress, "rawjson");
	view->screen = view->quiet || view->json ? NULL : progress_new(args, "Building");
	if (view->screen && !progress_on_screen(view->screen)) {
		progress_free(view->screen);
		view->screen = NULL;
	}
	view->pulls.progress = view->screen;
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

static void draw(struct build_view *view, size_t index, enum progress_status status,
		 const char *text, const char *details)
{
	progress_set(view->screen, view->steps[index].title, status, text, details);
}

static void print_json_row(struct build_view *view, const char *id, const char *owner,
			   const char *status, const char *text, const char *details)
{
	_cleanup_json_ json_t *line = json_object();
	_cleanup_free_ char *out = NULL;

	json_put_string(line, "id", id);
	if (owner)
		json_put_string(line, "parent_id", owner);
	json_put_string(line, "status", status);
	json_put_string(line, "text", text);
	if (details)
		json_object_set_new(line, "details",
				    json_string(details) ?: json_string("(not UTF-8)"));
	out = json_text(line);
	fprintf(view->out, "%s\n", out);
}

static void print_json(struct build_view *view, size_t index, const char *status, const char *text,
		       const char *details)
{
	_cleanup_free_ char *id = str_printf("#%zu %s", index + 1, view->steps[index].title);

	print_json_row(view, id, view->steps[index].owner, status, text, details);
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
	_cleanup_strbuf_ struct strbuf text = {0};

	strbuf_reserve(&text, length);
	text.data[0] = '\0';
	columns_add_line(&text, line, length, false);
	if (view->json || view->screen) {
		if (view->json)
			print_json(view, index, "Working", "Building", text.data);
		else
			draw(view, index, PROGRESS_WORKING, "Running", text.data);
		return;
	}
	turn_to(view, index);
	fprintf(view->out, "#%zu %.3f %s\n", index + 1, since, text.data);
}

static void end_log(struct build_view *view, size_t index)
{
	struct strbuf *line = &view->steps[index].line;

	if (line->length)
		print_log_line(view, index, line->data, line->length);
	line->length = 0;
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
	/* A bar that moves within its line, and what never ends one. */
	if (line->length && view->screen && memchr(line->data, '\r', line->length))
		print_log_line(view, index, line->data, line->length);
	if (line->length > LINE_MOST)
		end_log(view, index);
}

static void print_end(struct build_view *view, size_t index, const struct build_event *event)
{
	static const char *const words[] = {[BUILD_STEP_CACHED] = "CACHED",
					    [BUILD_STEP_DONE] = "DONE",
					    [BUILD_STEP_FAILED] = "ERROR"};

	end_log(view, index);
	if (view->screen) {
		draw(view, index, event->kind == BUILD_STEP_FAILED ? PROGRESS_ERROR : PROGRESS_DONE,
		     event->kind == BUILD_STEP_FAILED   ? "Error"
		     : event->kind == BUILD_STEP_CACHED ? "Cached"
							: "Done",
		     "");
		return;
	}
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

/* Takes @text. */
static void warn(struct build_view *view, char *text)
{
	if (view->screen) {
		strv_take(&view->warnings, text);
		return;
	}
	output_warn("%s", text);
	free(text);
}

static void start_step(struct build_view *view, size_t index)
{
	if (view->screen)
		draw(view, index, PROGRESS_WORKING, "Running", "");
	else if (view->json)
		print_json(view, index, "Working", "Building", NULL);
	else if (view->last != index + 1) {
		if (view->last)
			fputc('\n', view->out);
		fprintf(view->out, "#%zu %s\n", index + 1, view->steps[index].title);
		view->last = index + 1;
	}
}

void build_view_event(struct build_view *view, const char *owner, const struct build_event *event)
{
	size_t index;

	if (event->kind == BUILD_WARNING) {
		if (!view->quiet)
			warn(view, str_printf("%s%s%.*s", owner ?: "", owner ? ": " : "",
					      (int)event->length, event->text));
		return;
	}
	if (view->quiet)
		return;
	index = find_step(view, owner, event);
	switch (event->kind) {
	case BUILD_STEP_STARTED:
		start_step(view, index);
		break;
	case BUILD_STEP_CACHED:
		if (!view->json)
			start_step(view, index);
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

/* What a layer's state is worth a line of plain output; NULL: nothing. */
static char *layer_line(struct shown_step *step, const struct pull_event *event)
{
	char current[32], total[32];
	int64_t now = units_monotonic_usec();

	switch (event->state) {
	case PULL_LAYER_DOWNLOADING:
		if (now - step->told_usec < PULL_EVERY_USEC)
			return NULL;
		step->told_usec = now;
		return str_printf("%s %s / %s", event->layer,
				  units_format_size(event->current, current, sizeof(current)),
				  units_format_size(event->total, total, sizeof(total)));
	case PULL_LAYER_RETRYING:
		return str_printf("%s: the connection broke, trying again", event->layer);
	case PULL_LAYER_PULLED:
		return str_printf("%s done", event->layer);
	default:
		return NULL;
	}
}

static size_t find_pull(struct build_view *view, const char *owner, const struct pull_event *event)
{
	_cleanup_free_ char *name = str_printf("[internal] pull %s", event->name);
	_cleanup_free_ char *title = title_of(owner, name);
	struct shown_step *step;

	for (size_t i = 0; i < view->count; i++)
		if (!view->steps[i].step && str_equal(view->steps[i].title, title))
			return i;
	step = array_add(view->steps, view->count);
	step->owner = alloc_string(owner);
	step->title = TAKE_PTR(title);
	step->started_usec = units_monotonic_usec();
	return view->count - 1;
}

static void show_pull(struct build_view *view, size_t index, const struct pull_event *event)
{
	struct build_event end = {.kind = event->state == PULL_IMAGE_FAILED ? BUILD_STEP_FAILED
									    : BUILD_STEP_DONE};

	if (event->state == PULL_IMAGE_STARTED) {
		start_step(view, index);
	} else if (event->layer) {
		_cleanup_free_ char *line = layer_line(&view->steps[index], event);

		if (line)
			print_log_line(view, index, line, strlen(line));
	} else {
		end.usec = units_monotonic_usec() - view->steps[index].started_usec;
		print_end(view, index, &end);
	}
}

void build_view_pull(struct build_view *view, const char *owner, const struct pull_event *event)
{
	if (view->quiet)
		return;
	if (view->screen)
		pull_view_event(&view->pulls, event);
	else
		show_pull(view, find_pull(view, owner, event), event);
	fflush(view->out);
}

void build_view_built(struct build_view *view, const char *image)
{
	_cleanup_free_ char *id = str_printf("Image %s", image);

	if (view->screen)
		progress_set(view->screen, id, PROGRESS_DONE, "Built", "");
	else if (view->json)
		print_json_row(view, id, NULL, "Done", "Built", NULL);
	else if (!view->quiet)
		fprintf(view->out, " %s Built\n", id);
}

int build_view_timeout(const struct build_view *view)
{
	return view->screen ? progress_timeout(view->screen) : -1;
}

void build_view_tick(struct build_view *view)
{
	if (view->screen)
		progress_tick(view->screen);
}

void build_view_free(struct build_view *view)
{
	if (view && view->screen)
		progress_free(view->screen);
	strv_foreach(warning, view ? view->warnings : NULL)
		output_warn("%s", warning);
	if (view)
		strv_free(view->warnings);
	for (size_t i = 0; view && i < view->count; i++) {
		free(view->steps[i].owner);
		free(view->steps[i].title);
		strbuf_done(&view->steps[i].line);
	}
	if (view)
		free(view->steps);
	free(view);
}
