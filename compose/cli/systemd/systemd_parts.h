/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_SYSTEMD_SYSTEMD_PARTS_H
#define COMPOSE_CLI_SYSTEMD_SYSTEMD_PARTS_H

/*
 * systemd_parts.h - what of a project's services is systemd's affair once the project is a unit:
 * credentials that it is to be given, timers of its own for services with a schedule, and sockets
 * that are listened at for its services. Written as services.conf in the unit's drop-in folder,
 * berth-NAME-SERVICE.timer with its service, and berth@NAME.socket.
 */

#include <stdbool.h>

#include "common/error.h"

#include "compose/model/project.h"

/* What units call; absolute paths. */
struct systemd_program {
	const char *path;
	const char *root, *runtime; /* BERTH_ROOT, BERTH_RUNTIME_DIR; NULL: none */
};

/* Of this process: the variables as they are set. @path is borrowed. */
struct systemd_program systemd_program_of(const char *path);

bool systemd_parts_has_sockets(const struct project *project);
/* All of it is there for its sockets: the first connection may start the whole project. */
bool systemd_parts_on_demand(const struct project *project);

/* -EEXIST: one that another project has, or somebody wrote, bears the name of one of @project's. */
int systemd_parts_check(const char *units, const struct project *project, struct error *err);
/* Writes those of @project below @units (a folder) anew, and removes what of an earlier one is
 * left. -EEXIST: see above. */
int systemd_parts_write(const char *units, const struct project *project,
			const struct systemd_program *program, struct error *err);
/* All of the project of this name. *ret_removed: their names, to be freed. */
int systemd_parts_remove(const char *units, const char *name, char ***ret_removed,
			 struct error *err);
/*
 * Names of those that are not, or no longer, as the project would have them, "A, B"; NULL: all are,
 * or there are none at all. New string.
 */
char *systemd_parts_stale(const char *units, const struct project *project,
			  const struct systemd_program *program);

#endif
