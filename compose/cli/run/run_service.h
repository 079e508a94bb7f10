/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_RUN_RUN_SERVICE_H
#define COMPOSE_CLI_RUN_RUN_SERVICE_H

/*
 * run_service.h - a service as one run of it is to have it: the command line's words in place of,
 * or beside, the file's.
 */

#include <jansson.h>
#include <stdbool.h>

#include "common/error.h"

#include "compose/model/project.h"

struct run_service {
	const char *service;
	char *const *command;   /* NULL or empty: the service's own */
	const char *entrypoint; /* NULL: likewise */
	const char *user, *working_dir;
	char *const *environment, *const *env_files, *const *labels;
	char *const *ports, *const *volumes, *const *cap_add, *const *cap_drop;
	bool service_ports, tty, interactive, no_deps;
};

/*
 * The project with that one service changed, in its internal canonical form; new reference. It
 * has been read back, so what is wrong with a word is told here.
 */
int run_service_project(const struct project *project, const struct run_service *run, json_t **ret,
			struct error *err);

/* -v: appends to @service's volumes; a name becomes a volume of @project. */
void run_service_put_volumes(json_t *project, json_t *service, char *const *words);
/* One more in long form, instead of what is at @target by now; takes @row. */
void run_service_put_mount(json_t *service, const char *target, json_t *row);
/* A name that the project does not declare is the volume of just that name. */
void run_service_declare_volume(json_t *project, const char *name);

#endif
