// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/converge/report.h"

#include <stdio.h>

#include "common/units.h"

#include "compose/supervisor/converge/converge.h"
#include "compose/supervisor/instance/instance.h"

/* What users see at the beginning and at the end; NULL: nothing. */
static const struct {
	const char *working, *done;
} words[] = {
	[OP_CREATE_NETWORK] = {"Creating", "Created"},
	[OP_REMOVE_NETWORK] = {"Removing", "Removed"},
	[OP_CREATE_VOLUME] = {"Creating", "Created"},
	[OP_REMOVE_VOLUME] = {"Removing", "Removed"},
	[OP_CREATE_CONTAINER] = {"Creating", "Created"},
	[OP_START_CONTAINER] = {"Starting", "Started"},
	[OP_STOP_CONTAINER] = {"Stopping", "Stopped"},
	[OP_KILL_CONTAINER] = {"Killing", "Killed"},
	[OP_PAUSE_CONTAINER] = {"Pausing", "Paused"},
	[OP_UNPAUSE_CONTAINER] = {"Unpausing", "Unpaused"},
	[OP_REMOVE_CONTAINER] = {"Removing", "Removed"},
	[OP_RENAME_CONTAINER] = {NULL, "Recreated"},
	[OP_UPDATE_CONTAINER] = {"Updating", "Updated"},
	[OP_SWITCH_TRAFFIC] = {"Taking over", "Took over"},
	[OP_DRAIN_CONTAINER] = {"Draining", "Drained"},
	[OP_WAIT] = {"Waiting", NULL},
	/* Whoever fetches it shows that. */
	[OP_AWAIT_IMAGE] = {NULL, NULL},
};

static const char *working_text(const struct converge *converge, const struct operation *operation)
{
	if (operation->kind == OP_CREATE_CONTAINER && operation->recreate)
		return "Recreate";
	if (operation->kind == OP_REMOVE_CONTAINER && operation->recreate)
		return NULL;
	if (converge->parsed.options.goal == PLAN_RESTART) {
		if (operation->kind == OP_STOP_CONTAINER)
			return "Restarting";
		if (operation->kind == OP_START_CONTAINER)
			return NULL;
	}
	return words[operation->kind].working;
}

static const char *wait_done_text(const struct converge *converge,
				  const struct operation *operation)
{
	const struct instance *instance = converge_instance(converge, operation);

	switch (operation->condition) {
	case CONDITION_COMPLETED:
		return "Exited";
	case CONDITION_HEALTHY:
		return instance && instance_health(instance) == HEALTH_NONE ? "Started" : "Healthy";
	default:
		return "Started";
	}
}

static const char *done_text(const struct converge *converge, const struct operation *operation)
{
	if ((operation->kind == OP_CREATE_CONTAINER || operation->kind == OP_REMOVE_CONTAINER) &&
	    operation->recreate)
		return NULL;
	if (converge->parsed.options.goal == PLAN_RESTART && operation->kind == OP_STOP_CONTAINER)
		return NULL;
	if (operation->kind == OP_WAIT)
		return wait_done_text(converge, operation);
	return words[operation->kind].done;
}

/* How long one that is asked to stop has before it is killed; NULL: not told. */
static const char *grace_text(const struct converge *converge, const struct operation *operation,
			      char *buffer, size_t size)
{
	const struct instance *instance = converge_instance(converge, operation);
	char duration[32];

	if (!converge->tell_grace || operation->kind != OP_STOP_CONTAINER || !instance)
		return NULL;
	snprintf(buffer, size, "(killed after %s)",
		 units_format_duration(instance_grace_usec(instance, operation->timeout_usec),
				       duration, sizeof(duration)));
	return buffer;
}

void report_begin(struct converge *converge, size_t index)
{
	const struct operation *operation = &converge->plan->operations[index];
	const char *text = working_text(converge, operation);
	char grace[64];

	if (text)
		converge_progress(converge, operation->object, "Working", text,
				  grace_text(converge, operation, grace, sizeof(grace)));
}

void report_end(struct converge *converge, size_t index, const struct error *err)
{
	const struct operation *operation = &converge->plan->operations[index];
	const char *text = done_text(converge, operation);

	if (err && err->code)
		converge_failed(converge, operation, err);
	else if (text)
		converge_progress(converge, operation->object, "Done", text, NULL);
}
