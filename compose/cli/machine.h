/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_MACHINE_H
#define COMPOSE_CLI_MACHINE_H

/*
 * machine.h - containers of all projects of this machine, by name or id, as docker's own command
 * line has them.
 *
 * A single container is a project of its own, "container.NAME": no Compose project can have such a
 * name, no two containers the same, and neither waits for the other's grace period or is touched by
 * what befalls its supervisor. The project's one service is the container.
 */

#include <jansson.h>
#include <stdbool.h>

#include "common/error.h"

#include "compose/plan/plan.h"

/* New string. */
char *single_project(const char *container);
/* The same for one that is to be made: not that of one which was so called once. */
char *single_project_new(const char *container);
bool single_is(const char *project);

/*
 * CONTAINERs (requests.h) with their "project", the newest first; new reference. @all: also those
 * that do not run. Single containers are without the labels that Compose gives. Projects that
 * cannot be asked are warned of.
 */
int machine_containers(bool all, json_t **ret, struct error *err);

/* One of @containers by name, id, or the beginning of an id; borrowed. -ENOENT as docker says it.
 */
int machine_pick(const json_t *containers, const char *name, json_t **ret, struct error *err);

/* The same of all there are; new reference. */
int machine_find(const char *name, json_t **ret, struct error *err);

struct project_args;

/*
 * Asks for @options for each of @names, prints the names of those for which it was done, and the
 * errors of the others. Exit code.
 */
int machine_converge(struct project_args *args, char *const *names,
		     const struct plan_options *options);
/* The same for one CONTAINER with its "project", and nothing is printed when it was done. */
int machine_converge_one(struct project_args *args, const json_t *container,
			 const struct plan_options *options);

#endif
