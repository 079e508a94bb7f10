/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CONTROL_PROJECTS_H
#define COMPOSE_CONTROL_PROJECTS_H

/*
 * projects.h - all projects that this machine has a supervisor's socket or records of.
 */

#include <jansson.h>

#include "common/error.h"

/* Names, sorted; new list. -EACCES: they are another user's. */
int projects_list(char ***ret, struct error *err);

/*
 * The records of all containers of all projects, running or not (compose/supervisor/state.h), with
 * "running" and "project_name" besides; of volumes they name those only that nobody gave a name.
 * New. A project whose records cannot be read is an error: it may use anything.
 */
int projects_bare_records(json_t **ret, struct error *err);
/* The same with all volumes. */
int projects_records(json_t **ret, struct error *err);
/* The first of @records whose list @key ("volumes", "networks") has @name, or NULL. */
const json_t *projects_user_of(const json_t *records, const char *key, const char *name);
/* A volume_check_unused of volumes/volume.h. -EBUSY: a container has it, as the error says. */
int projects_check_volume_unused(void *unused, const char *name, struct error *err);

#endif
