// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/timeline/timeline_chart.h"

#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/map.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/control/timeline.h"

#define NONE SIZE_MAX

struct step {
	const char *operation, *name, *condition;
	char *key; /* of its row */
	size_t row, last, image;
	int64_t begun_usec, ended_usec;
	bool skipped, failed, critical;
};

struct reading {
	struct chart *chart;
	struct step *steps;
	size_t count;
};

static const char *const phase_names[PHASES] = {
	[PHASE_WAITING] = "waiting",       [PHASE_PULLING] = "pulling",
	[PHASE_BUILDING] = "building",     [PHASE_CREATING] = "creating",
	[PHASE_STARTING] = "starting",     [PHASE_PROBING] = "probing",
	[PHASE_COMPLETING] = "completing", [PHASE_STOPPING] = "stopping",
	[PHASE_CHANGING] = "changing",     [PHASE_RUNNING] = "running",
	[PHASE_FAILED] = "failed",
};

const char *phase_name(enum phase phase)
{
	return phase_names[phase];
}

static enum phase phase_of(const struct step *step)
{
	static const struct {
		const char *operation, *condition;
		enum phase phase;
	} phases[] = {
		{"await_image", NULL, PHASE_PULLING},
		{"pull_image", NULL, PHASE_PULLING},
		{"build_image", NULL, PHASE_BUILDING},
		{"create_container", NULL, PHASE_CREATING},
		{"create_network", NULL, PHASE_CREATING},
		{"create_volume", NULL, PHASE_CREATING},
		{"start_container", NULL, PHASE_STARTING},
		{"stop_container", NULL, PHASE_STOPPING},
		{"kill_container", NULL, PHASE_STOPPING},
		{"drain_container", NULL, PHASE_STOPPING},
		{"wait", "healthy", PHASE_PROBING},
		{"wait", "completed", PHASE_COMPLETING},
		{"wait", "running", PHASE_STARTING},
	};

	array_foreach(row, phases)
		if (str_equal(step->operation, row->operation) &&
		    (!row->condition || str_equal(step->condition, row->condition)))
			return row->phase;
	return PHASE_CHANGING;
}

/* Index of an earlier step, or NONE. */
static int read_index(const json_t *json, const char *key, size_t below, size_t *ret,
		      struct error *err)
{
	int64_t value = json_get_int(json, key, -1);

	*ret = value < 0 ? NONE : (size_t)value;
	if (value >= 0 && *ret >= below)
		return error_set(err, EINVAL, "timeline: operation %zu comes after one behind it",
				 below);
	return 0;
}

static int read_step(struct reading *reading, const json_t *json, struct error *err)
{
	size_t index = reading->count++;
	struct step *step = &reading->steps[index];
	const char *service = json_get_string(json, "service");
	const char *outcome = json_get_string(json, "outcome");

	step->operation = json_get_string(json, "operation");
	step->name = json_get_string(json, "name");
	step->condition = json_get_string(json, "condition");
	if (!step->operation || !step->name)
		return error_set(err, EINVAL, "timeline: operation %zu has no name", index);
	if (read_index(json, "last", index, &step->last, err) < 0 ||
	    read_index(json, "image", index, &step->image, err) < 0)
		return -err->code;
	step->failed = str_equal(outcome, "failed");
	step->begun_usec = json_get_int(json, "begun", -1);
	step->skipped = step->begun_usec < 0;
	step->ended_usec = json_get_int(json, "ended", reading->chart->duration_usec);
	if (!step->skipped && step->ended_usec < step->begun_usec)
		return error_set(err, EINVAL, "timeline: operation %zu ends before it begins",
				 index);
	/* A container that is made anew has for a time another name. */
	step->key =
		service && json_get_int(json, "number", 0)
			? str_printf("%s %jd", service, (intmax_t)json_get_int(json, "number", 0))
			: str_printf("%s/%s",
				     strstr(step->operation, "network")  ? "network"
				     : strstr(step->operation, "volume") ? "volume"
				     : strstr(step->operation, "image")  ? "image"
									 : "",
				     step->name);
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct step *left = *(struct step *const *)a, *right = *(struct step *const *)b;

	if (left->begun_usec != right->begun_usec)
		return left->begun_usec < right->begun_usec ? -1 : 1;
	return left < right ? -1 : left > right;
}

static void mark_path(struct reading *reading)
{
	struct chart *chart = reading->chart;
	size_t at = NONE;

	for (size_t i = 0; i < reading->count; i++)
		if (!reading->steps[i].skipped &&
		    (at == NONE || reading->steps[i].ended_usec >= reading->steps[at].ended_usec))
			at = i;
	/* Prerequisites stand before: this comes to an end. */
	for (; at != NONE; at = reading->steps[at].last) {
		struct step *step = &reading->steps[at];

		if (step->skipped)
			continue;
		step->critical = true;
		*array_add(chart->path, chart->path_count) = (struct chart_step){
			NULL, phase_of(step), step->begun_usec, step->ended_usec};
		chart->path[chart->path_count - 1].label = alloc_string(step->name);
	}
	for (size_t i = 0; i < chart->path_count / 2; i++) {
		struct chart_step first = chart->path[i];

		chart->path[i] = chart->path[chart->path_count - 1 - i];
		chart->path[chart->path_count - 1 - i] = first;
	}
}

static struct chart_span *add_span(struct chart_row *row, enum phase phase, int64_t begin,
				   int64_t end)
{
	struct chart_span *span = array_add(row->spans, row->count);

	*span = (struct chart_span){.phase = phase, .begin_usec = begin, .end_usec = end};
	return span;
}

/* What a step waited for last that is not of its own row. */
static void add_waiting(struct reading *reading, struct chart_row *row, const struct step *step,
			int64_t from)
{
	const struct step *last = step->last == NONE ? NULL : &reading->steps[step->last];
	const struct step *image = step->image == NONE ? NULL : &reading->steps[step->image];
	struct chart_span *span;

	if (image && !image->skipped && image->ended_usec > from) {
		int64_t begin = image->begun_usec > from ? image->begun_usec : from;
		int64_t end =
			image->ended_usec < step->begun_usec ? image->ended_usec : step->begun_usec;

		if (end > begin) {
			if (begin > from)
				add_span(row, PHASE_WAITING, from, begin);
			add_span(row, phase_of(image), begin, end)->shared = true;
			from = end;
		}
	}
	if (step->begun_usec <= from)
		return;
	span = add_span(row, PHASE_WAITING, from, step->begun_usec);
	if (!last || str_equal(last->key, step->key))
		return;
	span->what = last->condition ? str_printf("%s %s", last->name, last->condition)
				     : alloc_string(last->name);
}

static int64_t row_end(const struct chart_row *row)
{
	return row->count ? row->spans[row->count - 1].end_usec : 0;
}

static void add_step(struct reading *reading, struct chart_row *row, const struct step *step)
{
	int64_t begin = row_end(row);
	struct chart_span *span;

	if (step->begun_usec > begin) {
		add_waiting(reading, row, step, begin);
		begin = step->begun_usec;
	}
	row->critical |= step->critical;
	/* Two waits for the same, say: what is told already is not told twice. */
	if (step->ended_usec < begin || (step->ended_usec == begin && row->count && !step->failed))
		return;
	span = add_span(row, step->failed ? PHASE_FAILED : phase_of(step), begin, step->ended_usec);
	span->critical = step->critical;
}

/* In which state the rest of the chart shows it. */
static void end_row(struct reading *reading, struct chart_row *row, const struct step *last)
{
	int64_t end = row_end(row);
	enum phase phase = phase_of(last);

	if (end >= reading->chart->duration_usec || last->failed)
		return;
	if (phase == PHASE_STARTING || phase == PHASE_PROBING)
		add_span(row, PHASE_RUNNING, end, reading->chart->duration_usec);
}

static void make_rows(struct reading *reading)
{
	_cleanup_free_ struct step **order = new_array(struct step *, reading->count + 1);
	_cleanup_free_ struct step **last = new_array(struct step *, reading->count + 1);
	struct chart *chart = reading->chart;
	struct map rows = {0};
	size_t used = 0;

	for (size_t i = 0; i < reading->count; i++)
		if (!reading->steps[i].skipped)
			order[used++] = &reading->steps[i];
	qsort(order, used, sizeof(struct step *), by_time);
	for (size_t i = 0; i < used; i++) {
		struct step *step = order[i];
		size_t number = (size_t)map_get(&rows, step->key);
		struct chart_row *row = NULL;

		if (!number) {
			row = array_add(chart->rows, chart->count);
			*row = (struct chart_row){0};
			number = chart->count;
			map_set(&rows, step->key, (void *)number);
		}
		row = &chart->rows[number - 1];
		/* The name that it ends up with. */
		free(row->label);
		row->label = alloc_string(step->name);
		add_step(reading, row, step);
		last[number - 1] = step;
	}
	for (size_t i = 0; i < chart->count; i++)
		end_row(reading, &chart->rows[i], last[i]);
	map_done(&rows, NULL);
}

int chart_init(struct chart *chart, const char *project, const json_t *timeline, struct error *err)
{
	const json_t *operations = json_object_get(timeline, "operations");
	size_t count = json_array_size(operations), i;
	struct reading reading = {.chart = chart};
	json_t *json;
	int r = 0;

	*chart = (struct chart){
		.project = alloc_string(project),
		.command = alloc_string(json_get_string(timeline, "command") ?: "up"),
		.time_nsec = json_get_int(timeline, "time", 0),
		.duration_usec = json_get_int(timeline, "duration", -1),
		.omitted = json_get_int(timeline, "omitted", 0),
	};
	if (!count || count > TIMELINE_OPERATIONS_MAX || chart->duration_usec < 0)
		return error_set(err, EINVAL, "timeline: not one of a start");
	reading.steps = new_array(struct step, count);
	json_array_foreach(operations, i, json)
		if (r == 0)
			r = read_step(&reading, json, err);
	if (r == 0) {
		mark_path(&reading);
		make_rows(&reading);
	}
	for (i = 0; i < reading.count; i++)
		free(reading.steps[i].key);
	free(reading.steps);
	return r;
}

void chart_done(struct chart *chart)
{
	for (size_t i = 0; i < chart->count; i++) {
		for (size_t s = 0; s < chart->rows[i].count; s++)
			free(chart->rows[i].spans[s].what);
		free(chart->rows[i].spans);
		free(chart->rows[i].label);
	}
	for (size_t i = 0; i < chart->path_count; i++)
		free(chart->path[i].label);
	free(chart->rows);
	free(chart->path);
	free(chart->project);
	free(chart->command);
	*chart = (struct chart){0};
}

static void put_times(json_t *json, int64_t begin_usec, int64_t end_usec)
{
	json_object_set_new(json, "begin_ms", json_real((double)begin_usec / USEC_PER_MSEC));
	json_object_set_new(json, "end_ms", json_real((double)end_usec / USEC_PER_MSEC));
}

static json_t *row_json(const struct chart_row *row)
{
	json_t *json = json_object(), *spans = json_array();

	json_put_string(json, "name", row->label);
	json_put_bool(json, "critical", row->critical);
	for (size_t i = 0; i < row->count; i++) {
		json_t *span = json_object();

		json_put_string(span, "phase", phase_name(row->spans[i].phase));
		json_put_string(span, "for", row->spans[i].what);
		put_times(span, row->spans[i].begin_usec, row->spans[i].end_usec);
		json_put_bool(span, "critical", row->spans[i].critical);
		json_array_append_new(spans, span);
	}
	json_object_set_new(json, "spans", spans);
	return json;
}

json_t *chart_json(const struct chart *chart)
{
	json_t *json = json_object(), *rows = json_array(), *path = json_array();
	char time[UNITS_TIME_MAX];

	json_put_string(json, "project", chart->project);
	json_put_string(json, "command", chart->command);
	json_put_string(json, "time", units_format_time(chart->time_nsec, time, sizeof(time)));
	json_object_set_new(json, "duration_ms",
			    json_real((double)chart->duration_usec / USEC_PER_MSEC));
	for (size_t i = 0; i < chart->count; i++)
		json_array_append_new(rows, row_json(&chart->rows[i]));
	for (size_t i = 0; i < chart->path_count; i++) {
		json_t *step = json_object();

		json_put_string(step, "name", chart->path[i].label);
		json_put_string(step, "phase", phase_name(chart->path[i].phase));
		put_times(step, chart->path[i].begin_usec, chart->path[i].end_usec);
		json_array_append_new(path, step);
	}
	json_object_set_new(json, "rows", rows);
	json_object_set_new(json, "critical_path", path);
	return json;
}
