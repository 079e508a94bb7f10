// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/converge/timeline.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/control/timeline.h"
#include "compose/supervisor/converge/converge.h"
#include "compose/supervisor/supervisor.h"

#define GATHERED_MAX 1024

static const char *command_of(const struct converge *converge)
{
	const struct plan_options *options = &converge->parsed.options;

	if (converge->dry_run || converge->failure.code || options->oneoff)
		return NULL;
	switch (options->goal) {
	case PLAN_UP:
		return "up";
	case PLAN_START:
		return "start";
	case PLAN_RESTART:
		return "restart";
	default:
		return NULL;
	}
}

static bool started_any(const struct converge *converge)
{
	for (size_t i = 0; converge->plan && i < converge->plan->count; i++)
		if (converge->plan->operations[i].kind == OP_START_CONTAINER &&
		    converge->runs[i].begun_usec)
			return true;
	return false;
}

static const char *outcome_of(const struct operation_run *run)
{
	if (run->state == RUN_DONE && run->begun_usec)
		return "done";
	return run->state == RUN_FAILED ? "failed" : "skipped";
}

static void put_image(const struct converge *converge, size_t first,
		      const struct operation *operation, json_t *json)
{
	for (size_t i = 0; i < operation->after_count; i++)
		if (converge->plan->operations[operation->after[i]].kind == OP_AWAIT_IMAGE)
			json_put_int(json, "image", (int64_t)(first + operation->after[i]));
}

/* The rows that have ended, and when all began. */
struct gathered {
	const json_t *rows[GATHERED_MAX];
	size_t count, last; /* last: that ended last */
	int64_t zero_usec;
};

static int64_t begun_of(const json_t *row)
{
	return json_get_int(row, "begun", 0);
}

static int64_t ended_of(const json_t *row)
{
	return json_get_int(row, "ended", 0);
}

/* It comes from outside: times that cannot be are passed over. */
static bool is_sound(const struct converge *converge, const json_t *row)
{
	const char *operation = json_get_string(row, "operation");

	return (str_equal(operation, "pull_image") || str_equal(operation, "build_image")) &&
	       json_get_string(row, "name") && begun_of(row) > 0 &&
	       begun_of(row) <= converge->begun_usec && ended_of(row) <= converge->begun_usec &&
	       (!ended_of(row) || ended_of(row) >= begun_of(row));
}

static void look_at_gathered(const struct converge *converge, struct gathered *ret)
{
	json_t *row;
	size_t i;

	*ret = (struct gathered){.zero_usec = converge->begun_usec};
	json_array_foreach(converge->gathered, i, row) {
		if (!is_sound(converge, row) || ret->count == GATHERED_MAX)
			continue;
		if (begun_of(row) < ret->zero_usec)
			ret->zero_usec = begun_of(row);
		if (!ended_of(row))
			continue;
		if (!ret->count || ended_of(row) >= ended_of(ret->rows[ret->last]))
			ret->last = ret->count;
		ret->rows[ret->count++] = row;
	}
}

static json_t *gathered_times(const struct gathered *gathered, size_t index)
{
	const json_t *row = gathered->rows[index];
	json_t *json = json_object();
	size_t last = index;

	json_put_string(json, "operation", json_get_string(row, "operation"));
	json_put_string(json, "name", json_get_string(row, "name"));
	json_put_string(json, "outcome", json_get_bool(row, "failed", false) ? "failed" : "done");
	json_put_int(json, "ready", 0);
	json_put_int(json, "begun", begun_of(row) - gathered->zero_usec);
	json_put_int(json, "ended", ended_of(row) - gathered->zero_usec);
	/* Builds begin when what was pulled is there, and when others made room for them. */
	for (size_t i = 0; i < index; i++)
		if (ended_of(gathered->rows[i]) <= begun_of(row) &&
		    (last == index || ended_of(gathered->rows[i]) > ended_of(gathered->rows[last])))
			last = i;
	if (last != index)
		json_put_int(json, "last", (int64_t)last);
	return json;
}

static void put_gathered_image(const struct converge *converge, const struct gathered *gathered,
			       const struct operation *operation, json_t *json)
{
	const struct service *service =
		operation->kind == OP_CREATE_CONTAINER && operation->service
			? project_service(converge_project(converge), operation->service)
			: NULL;

	for (size_t i = 0; service && i < gathered->count; i++)
		if (str_equal(json_get_string(gathered->rows[i], "name"), service->image))
			json_put_int(json, "image", (int64_t)i);
}

/* A pull that goes on beside the start began before it. */
static int64_t begin_of_wait(const struct converge *converge, const struct operation *operation,
			     int64_t begun_usec)
{
	json_t *row;
	size_t i;

	json_array_foreach(converge->gathered, i, row) {
		if (operation->kind == OP_AWAIT_IMAGE && is_sound(converge, row) &&
		    !ended_of(row) && str_equal(json_get_string(row, "name"), operation->name))
			return begun_of(row);
	}
	return begun_usec;
}

static json_t *operation_times(const struct converge *converge, const struct gathered *gathered,
			       size_t index)
{
	const struct operation *operation = &converge->plan->operations[index];
	const struct operation_run *run = &converge->runs[index];
	int64_t zero = gathered->zero_usec;
	json_t *json = json_object();

	json_put_string(json, "operation", operation_kind_name(operation->kind));
	json_put_string(json, "name", operation->new_name ?: operation->name);
	json_put_string(json, "service", operation->service);
	if (operation->number)
		json_put_int(json, "number", operation->number);
	if (operation->kind == OP_WAIT)
		json_put_string(json, "condition", condition_name(operation->condition));
	json_put_string(json, "outcome", outcome_of(run));
	/* What needs nothing is ready from the beginning. */
	if (run->begun_usec) {
		json_put_int(json, "ready", run->ready_usec ? run->ready_usec - zero : 0);
		json_put_int(json, "begun",
			     begin_of_wait(converge, operation, run->begun_usec) - zero);
	}
	if (run->ended_usec)
		json_put_int(json, "ended", run->ended_usec - zero);
	if (run->last)
		json_put_int(json, "last", (int64_t)(gathered->count + run->last - 1));
	else if (gathered->count)
		json_put_int(json, "last", (int64_t)gathered->last);
	put_gathered_image(converge, gathered, operation, json);
	put_image(converge, gathered->count, operation, json);
	return json;
}

void timeline_note(const struct converge *converge)
{
	const char *command = command_of(converge);
	_cleanup_json_ json_t *json = NULL;
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;
	struct gathered gathered;
	int64_t duration_usec;
	json_t *operations;
	size_t count;

	if (!command || !started_any(converge))
		return;
	look_at_gathered(converge, &gathered);
	duration_usec = units_monotonic_usec() - gathered.zero_usec;
	count = converge->plan->count;
	if (count > TIMELINE_OPERATIONS_MAX - gathered.count)
		count = TIMELINE_OPERATIONS_MAX - gathered.count;
	operations = json_array();
	for (size_t i = 0; i < gathered.count; i++)
		json_array_append_new(operations, gathered_times(&gathered, i));
	for (size_t i = 0; i < count; i++)
		json_array_append_new(operations, operation_times(converge, &gathered, i));
	json = json_object();
	json_put_string(json, "command", command);
	json_put_int(json, "time", units_now_nsec() - duration_usec * 1000);
	json_put_int(json, "duration", duration_usec);
	json_put_int(json, "omitted", (int64_t)(converge->plan->count - count));
	json_object_set_new(json, "operations", operations);
	text = json_text(json);
	if (fs_replace(converge->supervisor->state_dir, TIMELINE_FILE, text, strlen(text),
		       FS_ATOMIC, &err) < 0)
		log_warning("%s: %s", TIMELINE_FILE, err.message);
}
