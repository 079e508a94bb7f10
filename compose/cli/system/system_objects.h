/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_SYSTEM_SYSTEM_OBJECTS_H
#define COMPOSE_CLI_SYSTEM_SYSTEM_OBJECTS_H

/*
 * system_objects.h - images, volumes and networks that come and go while somebody looks.
 *
 * Nobody tells of them: two looks are compared. What came and went between them is not noticed.
 */

#include <jansson.h>

#include "common/error.h"

struct system_objects;

/* With a first look, which tells nothing. */
int system_objects_new(struct system_objects **ret, struct error *err);
void system_objects_free(struct system_objects *objects);

/*
 * What is otherwise than at the last look, appended to the array @events: {time: nsec, type,
 * action, id, attributes}, in docker's words.
 */
int system_objects_look(struct system_objects *objects, json_t *events, struct error *err);

#endif
