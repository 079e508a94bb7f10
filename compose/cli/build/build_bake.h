/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_BUILD_BUILD_BAKE_H
#define COMPOSE_CLI_BUILD_BUILD_BAKE_H

/*
 * build_bake.h - what would be built, in the form of a bake file, as docker compose prints it.
 */

#include "compose/cli/build/build_services.h"

/* On stdout. */
void build_bake_print(struct project *project, char *const *services,
		      const struct build_services_options *options);

#endif
