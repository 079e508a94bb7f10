// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/probes/unhealthy.h"

#include <stdio.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/control/message_ids.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/news.h"
#include "compose/supervisor/probes/health.h"
#include "compose/supervisor/requests/events.h"
#include "compose/supervisor/state.h"

#define BUDGET      3
#define WINDOW_USEC (10 * 60 * (int64_t)USEC_PER_SEC)

static size_t budget_of(const struct berth_extension *berth)
{
	return berth->on_unhealthy.budget.set ? (size_t)berth->on_unhealthy.budget.value : BUDGET;
}

static int64_t window_of(const struct berth_extension *berth)
{
	return berth->on_unhealthy.window.set ? berth->on_unhealthy.window.value : WINDOW_USEC;
}

bool unhealthy_may_restart(struct unhealthy_state *state, const struct berth_extension *berth,
			   int64_t now_nsec)
{
	size_t old = 0;

	while (old < state->count && now_nsec - state->restarts_nsec[old] > window_of(berth) * 1000)
		old++;
	if (old) {
		state->count -= old;
		memmove(state->restarts_nsec, state->restarts_nsec + old,
			state->count * sizeof(*state->restarts_nsec));
	}
	if (state->count >= budget_of(berth))
		return false;
	*array_add(state->restarts_nsec, state->count) = now_nsec;
	return true;
}

static void set_note(struct instance *instance, char *note)
{
	free(instance->unhealthy.note);
	instance->unhealthy.note = note;
}

static void tell(struct instance *instance, const char *action)
{
	_cleanup_free_ char *reason = health_reason(instance->health);
	json_t *attributes = json_object();
	char event[64];

	json_put_string(attributes, "reason", reason);
	json_put_string(attributes, "note", instance->unhealthy.note);
	snprintf(event, sizeof(event), "on_unhealthy: %s", action);
	news_log(instance, LOG_LEVEL_WARNING, MESSAGE_ACTED, "unhealthy (%s): %s", reason ?: "",
		 action);
	events_emit(instance, event, attributes);
}

static void restart(struct instance *instance)
{
	const struct berth_extension *berth = &instance->service->berth;
	struct unhealthy_state *state = &instance->unhealthy;
	char window[32];

	units_format_duration(window_of(berth), window, sizeof(window));
	if (!unhealthy_may_restart(state, berth, units_now_nsec())) {
		set_note(instance,
			 str_printf("all %zu restarts within %s spent", budget_of(berth), window));
		tell(instance, "budget spent");
		state_note(instance);
		return;
	}
	set_note(instance, str_printf("restart %zu of %zu within %s", state->count,
				      budget_of(berth), window));
	/* Whoever takes over from us makes it true, so nobody hears of it before it is written. */
	instance->again = true;
	state_note(instance);
	tell(instance, "restart");
	instance_restart(instance);
}

static void stop(struct instance *instance)
{
	struct error err = ERROR_INIT;

	set_note(instance, alloc_string("stopped: unhealthy"));
	if (instance_stop(instance, -1, &err) < 0)
		log_error("%s: %s", instance->name, err.message);
	tell(instance, "stop");
}

bool unhealthy_is_acted_on(const struct instance *instance)
{
	/* One that stops already needs nothing more. */
	return instance->state == INSTANCE_RUNNING &&
	       instance->service->berth.on_unhealthy.action != UNHEALTHY_NONE;
}

void unhealthy_act(struct instance *instance)
{
	if (!unhealthy_is_acted_on(instance))
		return;
	switch (instance->service->berth.on_unhealthy.action) {
	case UNHEALTHY_RESTART:
		restart(instance);
		break;
	case UNHEALTHY_STOP:
		stop(instance);
		break;
	case UNHEALTHY_NONE:
		break;
	}
}

void unhealthy_forget(struct unhealthy_state *state)
{
	free(state->restarts_nsec);
	free(state->note);
	*state = (struct unhealthy_state){0};
}

json_t *unhealthy_to_json(const struct unhealthy_state *state)
{
	json_t *json, *times;

	if (!state->count && !state->note)
		return NULL;
	json = json_object();
	times = json_array();
	for (size_t i = 0; i < state->count; i++)
		json_array_append_new(times, json_integer(state->restarts_nsec[i]));
	json_object_set_new(json, "restarts", times);
	json_put_string(json, "note", state->note);
	return json;
}

void unhealthy_from_json(struct unhealthy_state *state, const json_t *json)
{
	json_t *times = json_object_get(json, "restarts"), *time;
	size_t i;

	state->note = alloc_string(json_get_string(json, "note"));
	json_array_foreach(times, i, time)
		if (i < UNHEALTHY_BUDGET_MAX)
			*array_add(state->restarts_nsec, state->count) = json_integer_value(time);
}
