/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_HELP_DOCKER_NAME_H
#define COMPOSE_CLI_HELP_DOCKER_NAME_H

/*
 * docker_name.h - berth called by the name `docker` (a link to it, in PATH): `docker compose up` is
 * `berth up`, and every other word means what it means to docker, whether there is a project or
 * not.
 */

#include <stdbool.h>

bool docker_name(void);
/* docker-compose, the name of Compose when it was a program of its own. */
bool docker_name_of_compose(void);

/* As command_main(), of the words behind the program's name. */
int docker_name_main(int argc, char **argv);

#endif
