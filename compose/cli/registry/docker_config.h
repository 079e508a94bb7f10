/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_REGISTRY_DOCKER_CONFIG_H
#define COMPOSE_CLI_REGISTRY_DOCKER_CONFIG_H

/*
 * docker_config.h - the user's own settings: docker's config.json ($DOCKER_CONFIG, or ~/.docker)
 * and variables. Its credentials are runtime/image/auth.h's.
 */

/* Where the file would be; new string. */
char *docker_config_path(void);

/* The text that stands there as @key; new string. NULL: none, or there is no such file. */
char *docker_config_get(const char *key);

/*
 * --format of a listing: @format as it was given, or else what the file has as @key ("psFormat").
 * Lives until the next call; NULL: the table.
 */
const char *docker_config_format(const char *format, const char *key);

/* $DOCKER_DEFAULT_PLATFORM where none was given; NULL: this machine's. */
const char *docker_platform(const char *given);

#endif
