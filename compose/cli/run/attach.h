/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_RUN_ATTACH_H
#define COMPOSE_CLI_RUN_ATTACH_H

/* attach.h - this terminal connected to the main process of a container. */

#include <jansson.h>
#include <stdbool.h>

#include "compose/cli/args/project_args.h"

struct attach_options {
	const char *detach_keys; /* NULL: the default */
	bool no_stdin;
	bool ends_input; /* where our input ends, so does the container's */
	/* Starts it, once its first words cannot be missed: exit code. NULL: it runs. */
	int (*start)(struct project_args *args, const json_t *container);
};

/*
 * Until @container (a CONTAINER, with its "project") ends, or the keys are pressed. Its
 * exit code; errors are printed.
 */
int attach_container(struct project_args *args, const json_t *container,
		     const struct attach_options *options);

#endif
