/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_REQUESTS_EVENTS_H
#define COMPOSE_SUPERVISOR_REQUESTS_EVENTS_H

/*
 * events.h - what happened to containers, in the words of `docker events`, for those who listen
 * and for those who ask later: the last EVENTS_KEPT are remembered.
 */

#include <jansson.h>
#include <stdint.h>

struct events;
struct instance;

#define EVENTS_KEPT 256

/* @event is borrowed. */
typedef void event_handler(void *context, json_t *event);

struct events *events_new(void);
void events_free(struct events *events);

/* @attributes is taken and may be NULL. */
void events_emit(struct instance *instance, const char *action, json_t *attributes);
/*
 * Tells those who listen that a command is over: what it did not start it will not start, and what
 * was to come back by itself may have been called off.
 */
void events_settled(struct events *events);
/* Gives what is remembered since @since_nsec (0: nothing), then whatever comes. */
void events_subscribe(struct events *events, int64_t since_nsec, event_handler *handler,
		      void *context);
void events_unsubscribe(struct events *events, void *context);

#endif
