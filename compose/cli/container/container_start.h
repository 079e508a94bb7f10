/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_CONTAINER_CONTAINER_START_H
#define COMPOSE_CLI_CONTAINER_CONTAINER_START_H

/* container_start.h - `container start --attach`: started, and stayed with until it ends. */

#include <jansson.h>

#include "common/error.h"

#include "compose/cli/args/project_args.h"

struct start_attached {
	const char *detach_keys; /* NULL: the default */
	bool interactive;        /* our input is its */
};

/*
 * Starts @container (a CONTAINER with its "project"), shows all that it writes from its start on,
 * and passes signals on to it. Its exit code; errors are printed.
 */
int container_start_attached(struct project_args *args, const json_t *container,
			     const struct start_attached *how);

#endif
