// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/news.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/control/message_ids.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/probes/health.h"
#include "compose/supervisor/requests/events.h"

static struct supervisor *known;

static size_t describe(const char *text, struct log_field ret[LOG_FIELDS_MAX])
{
	const char *colon = strstr(text, ": ");
	_cleanup_free_ char *name = colon ? alloc_string_n(text, (size_t)(colon - text)) : NULL;
	const struct instance *instance = name ? supervisor_find(known, name) : NULL;

	if (!instance)
		return 0;
	ret[0] = (struct log_field){"BERTH_SERVICE", instance->service_name};
	ret[1] = (struct log_field){"BERTH_CONTAINER", instance->name};
	ret[2] = (struct log_field){"CONTAINER_ID_FULL", instance->id};
	return 3;
}

void news_log(const struct instance *instance, enum log_level level, const char *message_id,
	      const char *format, ...)
{
	const struct log_field id = {"MESSAGE_ID", message_id};
	char text[1536];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_entry(level, &id, 1, "%s: %s", instance->name, text);
}

static void tell_end(const struct instance *instance)
{
	if (instance->exit_code == 0 || instance->by_hand)
		news_log(instance, LOG_LEVEL_INFO, MESSAGE_EXITED, "exited (%d)",
			 instance->exit_code);
	else
		news_log(instance, LOG_LEVEL_WARNING, MESSAGE_EXITED, "exited (%d)",
			 instance->exit_code);
}

static void tell_health(const struct instance *instance, const char *status)
{
	_cleanup_free_ char *reason = NULL;

	if (!strcmp(status, "healthy")) {
		news_log(instance, LOG_LEVEL_INFO, MESSAGE_HEALTHY, "healthy");
	} else if (!strcmp(status, "unhealthy")) {
		reason = health_reason(instance->health);
		news_log(instance, LOG_LEVEL_WARNING, MESSAGE_UNHEALTHY, "unhealthy: %s",
			 reason ?: "its probe fails");
	}
}

static void on_event(void *context, json_t *event)
{
	static const char health[] = "health_status: ";
	const struct supervisor *supervisor = context;
	const char *action = json_get_string(event, "action");
	const char *id = json_get_string(event, "container_id");
	const struct instance *instance = id ? map_get(&supervisor->instances, id) : NULL;

	if (!instance || !action)
		return;
	if (!strcmp(action, "start"))
		news_log(instance, LOG_LEVEL_INFO, MESSAGE_STARTED, "started");
	else if (!strcmp(action, "die"))
		tell_end(instance);
	else if (!strcmp(action, "oom"))
		news_log(instance, LOG_LEVEL_ERROR, MESSAGE_OUT_OF_MEMORY,
			 "a process of it was killed, for its memory limit is reached");
	else if (str_starts_with(action, health))
		tell_health(instance, action + strlen(health));
}

bool news_begun(void)
{
	return known;
}

void news_begin(struct supervisor *supervisor)
{
	if (!log_in_journal())
		return;
	known = supervisor;
	log_set_describe(describe);
	events_subscribe(supervisor->events, 0, on_event, supervisor);
}
