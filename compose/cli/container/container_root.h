/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_CONTAINER_CONTAINER_ROOT_H
#define COMPOSE_CLI_CONTAINER_CONTAINER_ROOT_H

/*
 * container_root.h - the files of a container, from outside: never a path joined, always resolved
 * inside its root, whatever links it has put there.
 */

#include <jansson.h>

#include "common/error.h"

/*
 * The root of @container (a CONTAINER of requests.h) for what lies at *path. A container that does
 * not run has nothing mounted: a path on one of its volumes is then resolved in that, and *path
 * moves on to what is below it. The caller's to close.
 */
int container_root_open(const char *project, const json_t *container, const char **path,
			struct error *err);

/*
 * Its layers as they are now, to be read; nothing that is mounted upon them (volumes, secrets,
 * hosts) is in there, whether it runs or not.
 */
int container_root_layers(const char *project, const char *id, struct error *err);

#endif
