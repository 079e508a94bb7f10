/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_CONTAINER_CONTAINER_NAMES_H
#define COMPOSE_CLI_CONTAINER_CONTAINER_NAMES_H

/* container_names.h - names of containers: which are right, and ones for those that have none. */

#include <stdbool.h>

bool container_name_is_valid(const char *name);

/* "quiet_harbour"; new string. */
char *container_name_make(void);

#endif
