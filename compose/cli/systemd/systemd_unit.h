/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_SYSTEMD_SYSTEMD_UNIT_H
#define COMPOSE_CLI_SYSTEMD_SYSTEMD_UNIT_H

/*
 * systemd_unit.h - the texts of units: the template berth@.service, and the drop-in that says where
 * one project has its files. Pure.
 */

#include <stdbool.h>

/* In the text of every file that we made: those may be made anew. */
#define SYSTEMD_UNIT_MARK "# Made by berth"
/* Where the project is to be: of one that is gone we tell ourselves. */
#define SYSTEMD_FOLDER_VARIABLE "BERTH_UNIT_FOLDER"

/* Where the one who holds an ordinary user's namespaces is (rootless.h), unless it is elsewhere. */
#define SYSTEMD_HOLDER_SCOPE "berth-namespaces.scope"

/* Where a project is; what is NULL is left to the defaults. */
struct systemd_place {
	const char *folder; /* absolute, as are the files */
	char *const *files, *const *env_files, *const *profiles;
	const char *project_directory;
	const char *root, *runtime; /* BERTH_ROOT, BERTH_RUNTIME_DIR */
};

/* "berth@NAME.service". New string. */
char *systemd_unit_name(const char *project);

/* "berth@NAME.socket". New string. */
char *systemd_unit_socket_name(const char *project);

/* The template unit for @program, an absolute path. New string. */
char *systemd_unit_template(const char *program, bool user);

/* For all projects, from this version of systemd on: subgroup.conf. Constant. */
#define SYSTEMD_SUBGROUP_SINCE 254
extern const char systemd_unit_subgroup[];

struct strbuf;
/* Parts of the text of a unit: a value in which nothing is a specifier, a program's path as the
 * first word of a command line, and Environment=; nothing where @value is NULL or "". */
void systemd_unit_add_escaped(struct strbuf *text, const char *value);
void systemd_unit_add_program(struct strbuf *text, const char *program);
void systemd_unit_add_variable(struct strbuf *text, const char *name, const char *value);

/* project.conf. New string. */
char *systemd_unit_dropin(const struct systemd_place *place);

#endif
