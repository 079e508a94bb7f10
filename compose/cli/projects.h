/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_PROJECTS_H
#define COMPOSE_CLI_PROJECTS_H

/*
 * projects.h - all projects that this machine has a supervisor's socket or records of.
 */

#include "common/error.h"

#include "runtime/image/image.h"

/* Names, sorted; new list. -EACCES: they are another user's. */
int projects_list(char ***ret, struct error *err);

/*
 * The records of all containers of all projects, running or not (compose/supervisor/state.h), with
 * "running" and "project_name" besides. New. A project whose records cannot be read is an error: it
 * may use anything.
 */
int projects_records(json_t **ret, struct error *err);
/* The first of @records whose list @key ("volumes", "networks") has @name, or NULL. */
const json_t *projects_user_of(const json_t *records, const char *key, const char *name);

/*
 * The containers of all projects and the images they were made of and have mounted, running or
 * not. A project whose records cannot be read is an error: it may use any of them.
 */
extern const struct image_users projects_image_users;

#endif
