/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_CONTAINER_VOLUMES_FROM_H
#define COMPOSE_CLI_CONTAINER_VOLUMES_FROM_H

/*
 * volumes_from.h - `--volumes-from`: what another container of this machine mounts, at the same
 * places. It is looked up now, and is this one's own from then on.
 */

#include <jansson.h>

#include "common/error.h"

/* @words: NAME[:ro]. Appends to the volumes of @service, in @project; before any of its own. */
int volumes_from_put(json_t *project, json_t *service, char *const *words, struct error *err);

#endif
