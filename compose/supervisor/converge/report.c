// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/converge/report.h"

#include <stdio.h>

#include "common/log.h"
#include "common/units.h"

#include "compose/control/message_ids.h"
#include "compose/supervisor/converge/converge.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/news.h"

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

/* What is done about a container that is there, but not as the project has it; NULL: nothing. */
static const char *change_text(const struct converge *converge, const struct operation *operation)
{
	if (operation->oneoff || operation->standby || converge->parsed.options.goal != PLAN_UP)
		return NULL;
	switch (operation->kind) {
	case OP_CREATE_CONTAINER:
		return operation->recreate ? "making it anew" : NULL;
	case OP_UPDATE_CONTAINER:
		return "changing it as it runs";
	case OP_REMOVE_CONTAINER:
		return operation->recreate ? NULL : "removing it";
	default:
		return NULL;
	}
}

/* For the journal: the reason of what its other messages only say that it happened. */
static void log_change(const struct converge *converge, const struct operation *operation)
{
	static const struct log_field id = {"MESSAGE_ID", MESSAGE_CHANGED};
	const char *text = news_begun() ? change_text(converge, operation) : NULL;

	if (text)
		log_entry(LOG_LEVEL_INFO, &id, 1, "%s: %s: %s", operation->name, operation->cause,
			  text);
}

static void log_volume(const struct operation *operation)
{
	if (!news_begun())
		return;
	if (operation->kind == OP_CREATE_VOLUME)
		log_info("volume %s: created", operation->name);
	else if (operation->kind == OP_REMOVE_VOLUME)
		log_info("volume %s: removed", operation->name);
}

void report_begin(struct converge *converge, size_t index)
{
	const struct operation *operation = &converge->plan->operations[index];
	const char *text = working_text(converge, operation);
	char grace[64];

	log_change(converge, operation);
	if (text)
		converge_progress(converge, operation->object, "Working", text,
				  grace_text(converge, operation, grace, sizeof(grace)));
}

void report_end(struct converge *converge, size_t index, const struct error *err)
{
	const struct operation *operation = &converge->plan->operations[index];
	const char *text = done_text(converge, operation);

	if (!err || !err->code)
		log_volume(operation);
	if (err && err->code)
		converge_failed(converge, operation, err);
	else if (text)
		converge_progress(converge, operation->object, "Done", text, NULL);
}
