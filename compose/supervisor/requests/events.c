// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/requests/events.h"

#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/units.h"

#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/observe.h"

struct subscriber {
	event_handler *handler;
	void *context;
};

/* Remembered as text: a tree of jansson's takes five times as much. */
struct remembered {
	int64_t time_nsec;
	char *text;
};

struct events {
	struct subscriber *subscribers;
	size_t count;
	struct remembered ring[EVENTS_KEPT];
	size_t next;
};

struct events *events_new(void)
{
	return new (struct events);
}

void events_free(struct events *events)
{
	if (!events)
		return;
	for (size_t i = 0; i < EVENTS_KEPT; i++)
		free(events->ring[i].text);
	free(events->subscribers);
	free(events);
}

static json_t *event_make(const struct instance *instance, const char *action, int64_t now,
			  json_t *attributes)
{
	json_t *event = json_object();

	json_put_string(event, "event", "container");
	json_put_int(event, "time", now);
	json_put_string(event, "action", action);
	json_put_string(event, "service", instance->service_name);
	json_put_int(event, "number", instance->number);
	json_put_bool(event, "oneoff", instance->oneoff);
	json_put_string(event, "container", instance->name);
	json_put_string(event, "container_id", instance->id);
	if (!attributes)
		attributes = json_object();
	json_object_update_missing_new(attributes, observe_own_labels(instance));
	json_put_string(attributes, "name", instance->name);
	json_put_string(attributes, "image", instance->service->image);
	json_object_set_new(event, "attributes", attributes);
	return event;
}

void events_emit(struct instance *instance, const char *action, json_t *attributes)
{
	struct events *events = instance->supervisor->events;
	int64_t now = units_now_nsec();
	struct remembered *slot = &events->ring[events->next++ % EVENTS_KEPT];
	json_t *event = event_make(instance, action, now, attributes);

	free(slot->text);
	slot->text = json_text(event);
	slot->time_nsec = now;
	for (size_t i = events->count; i-- > 0;)
		events->subscribers[i].handler(events->subscribers[i].context, event);
	json_decref(event);
}

void events_settled(struct events *events)
{
	json_t *event = json_object();

	json_put_string(event, "event", "settled");
	for (size_t i = events->count; i-- > 0;)
		events->subscribers[i].handler(events->subscribers[i].context, event);
	json_decref(event);
}

void events_subscribe(struct events *events, int64_t since_nsec, event_handler *handler,
		      void *context)
{
	for (size_t i = 0; since_nsec && i < EVENTS_KEPT; i++) {
		const struct remembered *slot = &events->ring[(events->next + i) % EVENTS_KEPT];
		struct error err = ERROR_INIT;
		json_t *event = NULL;

		if (!slot->text || slot->time_nsec < since_nsec ||
		    json_parse(slot->text, strlen(slot->text), &event, &err) < 0)
			continue;
		handler(context, event);
		json_decref(event);
	}
	*array_add(events->subscribers, events->count) = (struct subscriber){handler, context};
}

void events_unsubscribe(struct events *events, void *context)
{
	for (size_t i = events->count; i-- > 0;)
		if (events->subscribers[i].context == context)
			events->subscribers[i] = events->subscribers[--events->count];
}
