/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_REGISTRY_PUSH_RUN_H
#define COMPOSE_CLI_REGISTRY_PUSH_RUN_H

/*
 * push_run.h - pushes a set of images, showing how it goes.
 */

#include <stdbool.h>

#include "compose/cli/args/project_args.h"
#include "compose/model/project.h"

struct push_run_options {
	bool quiet, ignore_failures;
	bool print_digests;   /* "1: digest: sha256:... size: 1234" on stdout, an image a line */
	const char *platform; /* of an image for several platforms only the one for this; or NULL */
	char *const *skipped; /* names that a line says of: Skipped */
};

/* Appends what of @services (NULL: all) is to be pushed, and the services that are passed over. */
void push_run_gather(const struct project *project, char *const *services, bool include_deps,
		     char ***names, char ***skipped);

/* All of them side by side. Exit code; errors are printed. */
int push_run(struct project_args *args, char *const *names, const struct push_run_options *options);

#endif
