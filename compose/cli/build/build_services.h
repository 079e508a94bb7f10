/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_BUILD_BUILD_SERVICES_H
#define COMPOSE_CLI_BUILD_BUILD_SERVICES_H

/*
 * build_services.h - `build` of services: for `berth build`, and for `up` and `create`.
 */

#include "common/map.h"

#include "compose/cli/build/build_options.h"
#include "compose/model/project.h"

struct build_services_options {
	char *const *build_args, *const *ssh;   /* besides what the file says */
	const char *memory, *provenance, *sbom; /* provenance NULL: as the file says */
	bool no_cache, pull, quiet, check, with_dependencies;
	bool all_platforms; /* of build.platforms, rather than the one that runs here */
	bool print_ids;     /* of what was built, on stdout */
	bool missing_only;  /* of images that are here nothing is built, but with pull_policy: build
			     */
};

/* A service that is built and names no image gets the name PROJECT-SERVICE. */
void build_services_name(struct project *project);

/* -ELOOP: services are contexts of each other. What follows takes for granted that they are not. */
int build_services_check(struct project *project, struct error *err);

/* The @services (NULL or none: all) and what has to be built with them: name to struct service. */
void build_services_select(struct project *project, char *const *services,
			   const struct build_services_options *options, struct map *selected);

struct build_due {
	const struct service *service;
	bool here; /* there is an image of its name */
};

/* What build_services() would build, in its order. *ret is the caller's to free. */
int build_services_due(struct project *project, char *const *services,
		       const struct build_services_options *options, struct build_due **ret,
		       size_t *ret_count, struct error *err);

/*
 * Builds the @services (NULL or none: all) that have a `build`. Prints errors; the exit code.
 */
int build_services(struct project_args *args, struct project *project, char *const *services,
		   const struct build_services_options *options);

#endif
