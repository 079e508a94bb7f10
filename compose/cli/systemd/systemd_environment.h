/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_SYSTEMD_SYSTEMD_ENVIRONMENT_H
#define COMPOSE_CLI_SYSTEMD_SYSTEMD_ENVIRONMENT_H

/*
 * systemd_environment.h - what a project takes from the environment of the shell in which it is
 * enabled: its unit will not have that, and make another project of the same files.
 */

#include <stdbool.h>

#include "compose/cli/args/project_args.h"

/*
 * Names of variables without which the files of @project, which was loaded by @args, make another
 * one or none, but for those that a unit (@user: of a user's) has as well. New strv; NULL: none.
 */
char **systemd_environment_missing(const struct project_args *args, const struct project *project,
				   bool user);

#endif
