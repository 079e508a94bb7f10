/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_HELP_DOCKER_VERSION_H
#define COMPOSE_CLI_HELP_DOCKER_VERSION_H

/* docker_version.h - what scripts learn that ask `docker version` whether it is new enough. */

#include "compose/cli/command.h"

extern const struct command command_docker_version;

/* `docker --version` */
void docker_version_line(void);

#endif
