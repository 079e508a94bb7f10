/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_REGISTRY_CONFIG_PROXIES_H
#define COMPOSE_CLI_REGISTRY_CONFIG_PROXIES_H

/*
 * config_proxies.h - "proxies" of docker's config.json: variables of new containers, which what the
 * user says of the same name replaces, and arguments of builds. A file that cannot be read is
 * warned of, and names none.
 */

#include <jansson.h>

/* NAME=VALUE in capitals and in small letters. Borrowed, read once; NULL: there are none. */
char *const *config_proxies(void);

/* Of the internal form of a project: for the containers that are made from it. */
void config_proxies_put(json_t *project);

#endif
