// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/converge/converge.h"

#include <stdlib.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/units.h"

#include "compose/supervisor/converge/coming.h"
#include "compose/supervisor/converge/operations.h"
#include "compose/supervisor/converge/report.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/instance/start.h"
#include "compose/supervisor/models.h"
#include "compose/supervisor/supervisor.h"

struct converge *converge_new(struct supervisor *supervisor, json_t *request)
{
	struct converge *converge = new (struct converge);

	converge->supervisor = supervisor;
	converge->request = request;
	/* The words in the options point into the request, which is let go early. */
	converge->options_json = json_incref(json_object_get(request, "options"));
	for (size_t i = 0; i < ARRAY_SIZE(converge->oneoff.fds); i++)
		converge->oneoff.fds[i] = -EBADF;
	return converge;
}

void converge_free(struct converge *converge)
{
	struct supervisor *supervisor = converge->supervisor;

	for (size_t i = 0; converge->plan && i < converge->plan->count; i++)
		free(converge->runs[i].removal);
	plan_free(converge->plan);
	options_done(&converge->parsed);
	model_unref(supervisor, converge->model);
	model_unref(supervisor, converge->oneoff.model);
	model_unref(supervisor, converge->before);
	for (size_t i = 0; i < ARRAY_SIZE(converge->oneoff.fds); i++)
		cleanup_close_fd(&converge->oneoff.fds[i]);
	json_decref(converge->request);
	json_decref(converge->options_json);
	coming_done(converge);
	json_decref(converge->gathered);
	free(converge->runs);
	free(converge->revived);
	free(converge);
}

void converge_tell(struct converge *converge, json_t *event)
{
	if (converge->listener.event)
		converge->listener.event(converge->listener.context, event);
	json_decref(event);
}

void converge_warn(struct converge *converge, const char *text)
{
	json_t *event = json_object();

	json_put_string(event, "event", "warning");
	json_put_string(event, "text", text);
	converge_tell(converge, event);
}

static json_t *progress_event(const char *object, const char *status, const char *text,
			      const char *details)
{
	json_t *event = json_object();

	json_put_string(event, "event", "progress");
	json_put_string(event, "id", object);
	json_put_string(event, "status", status);
	json_put_string(event, "text", text);
	json_put_string(event, "details", details ?: "");
	return event;
}

void converge_progress(struct converge *converge, const char *object, const char *status,
		       const char *text, const char *details)
{
	if (converge->listener.event)
		converge_tell(converge, progress_event(object, status, text, details));
}

void converge_failed(struct converge *converge, const struct operation *operation,
		     const struct error *err)
{
	json_t *event;

	if (!converge->listener.event)
		return;
	event = progress_event(operation->object, "Error", "Error", err->message);
	if (operation->service)
		json_put_string(event, "blame", operation->service);
	converge_tell(converge, event);
}

struct instance *converge_instance(const struct converge *converge,
				   const struct operation *operation)
{
	struct supervisor *supervisor = converge->supervisor;

	if (operation->id)
		return map_get(&supervisor->instances, operation->id);
	return supervisor_find(supervisor, operation->name);
}

const struct project *converge_project(const struct converge *converge)
{
	return (converge->oneoff.model ?: converge->model)->project;
}

static bool after(const struct operation *operation, size_t index)
{
	for (size_t i = 0; i < operation->after_count; i++)
		if (operation->after[i] == index)
			return true;
	return false;
}

/* Prerequisite @index of @dependent is out of the way. */
static void meet(struct converge *converge, size_t dependent, size_t index)
{
	struct operation_run *run = &converge->runs[dependent];

	if (--run->unmet)
		return;
	run->ready_usec = converge->runs[index].ended_usec;
	run->last = index + 1;
}

static void note_done(struct converge *converge, size_t index)
{
	for (size_t i = index + 1; i < converge->plan->count; i++)
		if (converge->runs[i].state == RUN_WAITING &&
		    after(&converge->plan->operations[i], index))
			meet(converge, i, index);
}

/* It was not done: that is good enough for those that only want it over with. */
static void note_undone(struct converge *converge, size_t index)
{
	for (size_t i = index + 1; i < converge->plan->count; i++)
		if (converge->runs[i].state == RUN_WAITING &&
		    converge->plan->operations[i].always &&
		    after(&converge->plan->operations[i], index))
			meet(converge, i, index);
}

/* What can be done without, and cannot be had, is no longer waited for. */
static void skip(struct converge *converge, size_t index, size_t why)
{
	const struct operation *operation = &converge->plan->operations[index];
	bool needed = operation->kind != OP_WAIT || operation->required;

	converge->runs[index].state = needed ? RUN_SKIPPED : RUN_DONE;
	converge->runs[index].last = why + 1;
	converge->runs[index].ended_usec = units_monotonic_usec();
	converge->waiting--;
	if (needed)
		note_undone(converge, index);
	else
		note_done(converge, index);
}

/* Prerequisites come first in the plan, so one walk finds everything that hangs on it. */
static void skip_dependents(struct converge *converge, size_t failed)
{
	for (size_t i = failed + 1; i < converge->plan->count; i++) {
		const struct operation *operation = &converge->plan->operations[i];

		if (converge->runs[i].state != RUN_WAITING || operation->always)
			continue;
		for (size_t k = 0; k < operation->after_count; k++) {
			enum run_state state = converge->runs[operation->after[k]].state;

			if (state != RUN_FAILED && state != RUN_SKIPPED)
				continue;
			skip(converge, i, operation->after[k]);
			break;
		}
	}
}

void converge_finish_operation(struct converge *converge, size_t index, const struct error *err)
{
	struct executor *executor = converge->supervisor->executor;
	struct operation_run *run = &converge->runs[index];

	if (run->state != RUN_RUNNING)
		return;
	converge->waiting--;
	if (run->birth) {
		run->birth = false;
		executor_birth_over(executor);
	}
	run->state = err && err->code ? RUN_FAILED : RUN_DONE;
	run->ended_usec = units_monotonic_usec();
	report_end(converge, index, err);
	if (run->state == RUN_FAILED) {
		if (!converge->err.code)
			converge->err = *err;
		note_undone(converge, index);
		skip_dependents(converge, index);
	} else {
		note_done(converge, index);
	}
	executor_again(executor);
}

/* They take nothing from anybody. */
static bool is_wait(const struct converge *converge, size_t index)
{
	enum operation_kind kind = converge->plan->operations[index].kind;

	return kind == OP_WAIT || kind == OP_AWAIT_IMAGE || kind == OP_PROCEED ||
	       kind == OP_DRAIN_CONTAINER;
}

static size_t running_operations(const struct converge *converge)
{
	size_t running = 0;

	for (size_t i = 0; i < converge->plan->count; i++)
		running += converge->runs[i].state == RUN_RUNNING && !is_wait(converge, i);
	return running;
}

static bool may_begin(const struct converge *converge, size_t index)
{
	if (converge->runs[index].state != RUN_WAITING || converge->runs[index].unmet)
		return false;
	if (converge->parallel && !is_wait(converge, index) &&
	    running_operations(converge) >= converge->parallel)
		return false;
	/* Networks go when nothing else is under way, and so at once. */
	if (converge->plan->operations[index].kind == OP_REMOVE_NETWORK &&
	    running_operations(converge))
		return false;
	return converge->plan->operations[index].kind != OP_START_CONTAINER ||
	       executor_birth_may_begin(converge->supervisor->executor);
}

void converge_begin_operations(struct converge *converge)
{
	for (size_t i = 0; i < converge->plan->count; i++) {
		if (!may_begin(converge, i))
			continue;
		converge->runs[i].state = RUN_RUNNING;
		/* A removal is begun twice (operation_look()). */
		if (!converge->runs[i].begun_usec)
			converge->runs[i].begun_usec = units_monotonic_usec();
		if (converge->plan->operations[i].kind == OP_START_CONTAINER) {
			converge->runs[i].birth = true;
			executor_birth_began(converge->supervisor->executor);
		}
		operation_begin(converge, i);
	}
}

static bool waits_for_health_only(const struct converge *converge, size_t index)
{
	const struct operation *operation = &converge->plan->operations[index];

	for (size_t i = 0; i < operation->after_count; i++) {
		const struct operation *before = &converge->plan->operations[operation->after[i]];
		enum run_state state = converge->runs[operation->after[i]].state;

		if (state == RUN_DONE)
			continue;
		if (state != RUN_RUNNING || before->kind != OP_WAIT ||
		    before->condition != CONDITION_HEALTHY)
			return false;
	}
	return true;
}

bool converge_begin_ahead(struct converge *converge, size_t limit)
{
	if (converge->dry_run || converge->parsed.options.goal != PLAN_UP || !converge->plan)
		return false;
	for (size_t i = 0; limit && i < converge->plan->count; i++) {
		const struct operation *operation = &converge->plan->operations[i];
		struct operation_run *run = &converge->runs[i];
		struct instance *instance;

		if (operation->kind != OP_START_CONTAINER || run->state != RUN_WAITING)
			continue;
		if (run->ahead)
			limit--;
		if (run->ahead || !run->unmet || !waits_for_health_only(converge, i))
			continue;
		run->ahead = true;
		instance = converge_instance(converge, operation);
		if (instance)
			start_ahead(instance);
		return true;
	}
	return false;
}

void converge_drop_ahead(struct converge *converge)
{
	for (size_t i = 0; converge->plan && i < converge->plan->count; i++) {
		const struct operation *operation = &converge->plan->operations[i];
		struct instance *instance = NULL;

		if (converge->runs[i].ahead && converge->runs[i].state != RUN_DONE)
			instance = converge_instance(converge, operation);
		if (instance)
			start_ahead_drop(instance);
	}
}
