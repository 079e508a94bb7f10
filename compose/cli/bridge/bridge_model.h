/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_BRIDGE_BRIDGE_MODEL_H
#define COMPOSE_CLI_BRIDGE_BRIDGE_MODEL_H

/* bridge_model.h - a project as transformers want it: with all that they cannot look up. */

#include <jansson.h>

#include "common/error.h"

#include "compose/model/project.h"

/*
 * The canonical project, with the ports that images expose, and with what is in files and
 * variables of secrets and configs. Images that are not here are warned of. New reference.
 */
int bridge_model(struct project *project, json_t **ret, struct error *err);

#endif
