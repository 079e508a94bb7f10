// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/converge/timeline.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/units.h"

#include "compose/control/timeline.h"
#include "compose/supervisor/converge/converge.h"
#include "compose/supervisor/supervisor.h"

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

static void put_image(const struct converge *converge, const struct operation *operation,
		      json_t *json)
{
	for (size_t i = 0; i < operation->after_count; i++)
		if (converge->plan->operations[operation->after[i]].kind == OP_AWAIT_IMAGE)
			json_put_int(json, "image", (int64_t)operation->after[i]);
}

static json_t *operation_times(const struct converge *converge, size_t index)
{
	const struct operation *operation = &converge->plan->operations[index];
	const struct operation_run *run = &converge->runs[index];
	int64_t zero = converge->begun_usec;
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
		json_put_int(json, "begun", run->begun_usec - zero);
	}
	if (run->ended_usec)
		json_put_int(json, "ended", run->ended_usec - zero);
	if (run->last)
		json_put_int(json, "last", (int64_t)run->last - 1);
	put_image(converge, operation, json);
	return json;
}

void timeline_note(const struct converge *converge)
{
	const char *command = command_of(converge);
	_cleanup_json_ json_t *json = NULL;
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;
	int64_t duration_usec;
	json_t *operations;
	size_t count;

	if (!command || !started_any(converge))
		return;
	duration_usec = units_monotonic_usec() - converge->begun_usec;
	count = converge->plan->count;
	if (count > TIMELINE_OPERATIONS_MAX)
		count = TIMELINE_OPERATIONS_MAX;
	operations = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(operations, operation_times(converge, i));
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
