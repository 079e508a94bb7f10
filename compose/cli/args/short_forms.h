/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_ARGS_SHORT_FORMS_H
#define COMPOSE_CLI_ARGS_SHORT_FORMS_H

/*
 * short_forms.h - commands that mean docker's own where there is no project: `berth run IMAGE` in
 * a folder without a compose file, in it and above it. And docker's words that are none of ours.
 */

#include <stdio.h>

#include "compose/cli/command.h"

/*
 * What @command is called with @argv outside of a project: "container run", or NULL when it means
 * nothing else there. A command that needs names and got none is not meant so.
 */
const char *short_form_of(const struct command *command, int argc, char **argv);

/* What docker's word @name means, which is no command of ours: "image rm" for "rmi"; or NULL. */
const char *short_form_docker(const char *name);

/* What docker's word @name means where berth is called `docker`: whatever docker has. Or NULL. */
const char *short_form_called_docker(const char *name);
void short_forms_list(FILE *out);

/* Whether files, a name or a variable say which project is meant. */
bool short_forms_project(struct project_args *args);

/* The command behind a path such as "container run". */
const struct command *short_form_command(const char *path);

/* A sentence for its help and man page, or NULL; new string. */
char *short_form_help(const struct command *command);

#endif
