// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/json.h"
#include "common/process.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/plan/plan.h"

static const struct {
	const char *verb, *name;
} kinds[] = {
	[OP_PULL_IMAGE] = {"pull image", "pull_image"},
	[OP_BUILD_IMAGE] = {"build image", "build_image"},
	[OP_CREATE_NETWORK] = {"create network", "create_network"},
	[OP_REMOVE_NETWORK] = {"remove network", "remove_network"},
	[OP_CREATE_VOLUME] = {"create volume", "create_volume"},
	[OP_REMOVE_VOLUME] = {"remove volume", "remove_volume"},
	[OP_CREATE_CONTAINER] = {"create container", "create_container"},
	[OP_START_CONTAINER] = {"start container", "start_container"},
	[OP_STOP_CONTAINER] = {"stop container", "stop_container"},
	[OP_KILL_CONTAINER] = {"kill container", "kill_container"},
	[OP_PAUSE_CONTAINER] = {"pause container", "pause_container"},
	[OP_UNPAUSE_CONTAINER] = {"unpause container", "unpause_container"},
	[OP_REMOVE_CONTAINER] = {"remove container", "remove_container"},
	[OP_RENAME_CONTAINER] = {"rename container", "rename_container"},
	[OP_UPDATE_CONTAINER] = {"update container", "update_container"},
	[OP_SWITCH_TRAFFIC] = {"switch traffic to container", "switch_traffic"},
	[OP_DRAIN_CONTAINER] = {"drain container", "drain_container"},
	[OP_PROCEED] = {"proceed with service", "proceed"},
	[OP_WAIT] = {"wait for container", "wait"},
	[OP_AWAIT_IMAGE] = {"wait for image", "await_image"},
};

static const char *const conditions[] = {
	[CONDITION_STARTED] = "running",
	[CONDITION_HEALTHY] = "healthy",
	[CONDITION_COMPLETED] = "completed",
};

static const char *const states[] = {
	[CONTAINER_CREATED] = "created",   [CONTAINER_RUNNING] = "running",
	[CONTAINER_PAUSED] = "paused",     [CONTAINER_RESTARTING] = "restarting",
	[CONTAINER_REMOVING] = "removing", [CONTAINER_EXITED] = "exited",
	[CONTAINER_DEAD] = "dead",
};

static const char *const healths[] = {
	[HEALTH_NONE] = "",
	[HEALTH_STARTING] = "starting",
	[HEALTH_HEALTHY] = "healthy",
	[HEALTH_UNHEALTHY] = "unhealthy",
};

const char *operation_kind_name(enum operation_kind kind)
{
	return kinds[kind].name;
}

const char *condition_name(enum condition condition)
{
	return conditions[condition];
}

const char *container_state_name(enum container_state state)
{
	return states[state];
}

const char *health_status_name(enum health_status health)
{
	return healths[health];
}

static void operation_text(struct strbuf *text, const struct operation *operation)
{
	char duration[32];

	strbuf_addf(text, "%s %s", kinds[operation->kind].verb, operation->name);
	if (operation->kind == OP_CREATE_CONTAINER && operation->new_name)
		strbuf_addf(text, " as %s", operation->new_name);
	if (operation->kind == OP_RENAME_CONTAINER)
		strbuf_addf(text, " to %s", operation->new_name);
	if (operation->kind == OP_WAIT)
		strbuf_addf(text, " to be %s", conditions[operation->condition]);
	if (operation->kind == OP_KILL_CONTAINER)
		strbuf_addf(text, " with %s", process_signal_name(operation->signal));
	if (operation->kind == OP_STOP_CONTAINER && operation->timeout_usec >= 0)
		strbuf_addf(
			text, " within %s",
			units_format_duration(operation->timeout_usec, duration, sizeof(duration)));
	if (operation->kind == OP_REMOVE_CONTAINER && operation->standby)
		strbuf_add(text, " unless it takes over");
	if (operation->kind == OP_PROCEED && operation->delay_usec)
		strbuf_addf(
			text, " after %s",
			units_format_duration(operation->delay_usec, duration, sizeof(duration)));
	if (operation->kind == OP_REMOVE_CONTAINER && operation->volumes)
		strbuf_add(text, " and its anonymous volumes");
	strbuf_addf(text, " (%s)\n", operation->cause);
}

char *plan_to_text(const struct plan *plan)
{
	struct strbuf text = {0};

	for (size_t i = 0; i < plan->count; i++)
		operation_text(&text, &plan->operations[i]);
	return strbuf_take(&text);
}

static json_t *operation_json(const struct operation *operation)
{
	json_t *json = json_object(), *after = json_array();

	json_put_string(json, "operation", kinds[operation->kind].name);
	json_put_string(json, "object", operation->object);
	json_put_string(json, "name", operation->name);
	json_put_string(json, "id", operation->id);
	json_put_string(json, "service", operation->service);
	if (operation->number)
		json_put_int(json, "number", operation->number);
	json_put_string(json, "new_name", operation->new_name);
	if (operation->kind == OP_WAIT) {
		json_put_string(json, "condition", conditions[operation->condition]);
		json_put_bool(json, "required", operation->required);
	}
	if (operation->refresh)
		json_put_bool(json, "refresh", true);
	json_put_string(json, "cause", operation->cause);
	if (operation->changes)
		json_object_set(json, "changes", operation->changes);
	for (size_t i = 0; i < operation->after_count; i++)
		json_array_append_new(after, json_integer((json_int_t)operation->after[i]));
	json_object_set_new(json, "after", after);
	return json;
}

json_t *plan_to_json(const struct plan *plan)
{
	json_t *json = json_array();

	for (size_t i = 0; i < plan->count; i++)
		json_array_append_new(json, operation_json(&plan->operations[i]));
	return json;
}
