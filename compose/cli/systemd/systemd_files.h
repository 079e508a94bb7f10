/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_SYSTEMD_SYSTEMD_FILES_H
#define COMPOSE_CLI_SYSTEMD_SYSTEMD_FILES_H

/*
 * systemd_files.h - the files by which a project is a unit: the template, the drop-in that says
 * where its files are, and links to what a target wants.
 */

#include <stdbool.h>

#include "common/error.h"

#include "compose/cli/args/project_args.h"

#define SYSTEMD_TEMPLATE "berth@.service"
#define SYSTEMD_SUBGROUP "subgroup.conf" /* in the template's drop-in folder */

/* Where units of the administrator (the user) stand. New string. */
char *systemd_files_units(bool user);
/* The path of this program. New string. */
char *systemd_files_program(void);

int systemd_files_write(const char *folder, const char *name, const char *text, struct error *err);
/* Into @folder; one that a package brought, or that somebody wrote, stays as it is. */
int systemd_files_template(const char *folder, bool user, struct error *err);
/*
 * The template and what goes with it, as far as enable wrote them, unless another project is a
 * unit by them. 1: they are gone; 0: they stay.
 */
int systemd_files_remove_template(const char *units, struct error *err);

/* Where a project is that has no drop-in. New string. */
char *systemd_files_default_folder(const char *project, bool user);

/*
 * The project of this folder, with a drop-in below @units that says so, unless it is one that is
 * called @wanted (may be NULL) and has its place in /etc/berth. *ret is the caller's.
 */
int systemd_files_place(struct project_args *args, const char *units, bool user, const char *wanted,
			struct project **ret, struct error *err);

/* Undoes that; drop-ins that somebody else wrote stay. */
int systemd_files_remove_place(const char *units, const char *project, struct error *err);
/*
 * For one that runs and is disabled: the drop-in, which its stop needs, is to go with its end, and
 * is no reason any more for the template to stay.
 */
int systemd_files_end_place(const char *units, const char *project, struct error *err);
/* Whether it is so. */
bool systemd_files_place_ends(const char *units, const char *project);
/*
 * The name of a project as @given, else this folder's; an unreadable file is no reason not to find
 * it. New string.
 */
int systemd_files_name(struct project_args *args, const char *given, char **ret_name,
		       struct error *err);

/* What [Install] says: links @unit, or no longer where @to is NULL, among what @target wants. */
int systemd_files_link(const char *units, const char *target, const char *unit, const char *to,
		       struct error *err);
/* The same for one of the template's. */
int systemd_files_link_template(const char *units, bool user, const char *unit, bool wanted,
				struct error *err);

#endif
