/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_SYSTEMD_PARTS_H
#define COMPOSE_CLI_SYSTEMD_PARTS_H

/*
 * systemd_parts.h - what of a project's services is systemd's affair once the project is a unit:
 * credentials that it is to be given, and timers of its own for services with a schedule. Written
 * as services.conf in the unit's drop-in folder, and berth-NAME-SERVICE.timer with its service.
 */

#include "common/error.h"

#include "compose/model/project.h"

/* What the units that belong to a project are called, each berth-NAME-...; NULL-terminated. */
char **systemd_parts_units(const struct project *project);

/*
 * Writes those of @project below @units (a folder) anew, whose program is @program, and removes
 * what of an earlier one is left. @root, @runtime: BERTH_ROOT and BERTH_RUNTIME_DIR; NULL: none.
 */
int systemd_parts_write(const char *units, const struct project *project, const char *program,
			const char *root, const char *runtime, struct error *err);
/* All of the project of this name. *ret_removed: their names, to be freed. */
int systemd_parts_remove(const char *units, const char *name, char ***ret_removed,
			 struct error *err);

#endif
