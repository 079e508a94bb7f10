/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_DOCKER_CONFIG_H
#define COMPOSE_CLI_DOCKER_CONFIG_H

/*
 * docker_config.h - the user's own settings: docker's config.json ($DOCKER_CONFIG, or ~/.docker).
 * Its credentials are runtime/image/auth.h's.
 */

/* Where the file would be; new string. */
char *docker_config_path(void);

/* The text that stands there as @key; new string. NULL: none, or there is no such file. */
char *docker_config_get(const char *key);

#endif
