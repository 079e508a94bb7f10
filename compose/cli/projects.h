/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_PROJECTS_H
#define COMPOSE_CLI_PROJECTS_H

/*
 * projects.h - all projects that this machine has a supervisor's socket or records of.
 */

#include "common/error.h"

/* Names, sorted; new list. -EACCES: they are another user's. */
int projects_list(char ***ret, struct error *err);

/*
 * Ids of the images that some container of some project was made of; new list. A project that
 * cannot be asked is an error: it may use any of them.
 */
int projects_images_in_use(char ***ret, struct error *err);

#endif
