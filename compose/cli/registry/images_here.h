/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_REGISTRY_IMAGES_HERE_H
#define COMPOSE_CLI_REGISTRY_IMAGES_HERE_H

/*
 * images_here.h - whether what a project wants to run is in the image store.
 */

#include "runtime/image/image.h"

#include "compose/cli/args/project_args.h"
#include "compose/model/project.h"
#include "compose/plan/plan.h"

struct converge;

/*
 * Checks the images of @services (NULL: all) and, unless @no_deps, of what they depend on; those
 * that @converge (may be NULL) is fetching, or would fetch, pass. -ENOENT: some are missing;
 * *ret_report (new) names them all, a line each, for the user.
 */
int images_here_check(const struct project_args *args, const struct project *project,
		      char *const *services, bool no_deps, const struct converge *converge,
		      char **ret_report, struct error *err);

/* What the planner wants to know of each service's image. */
int images_here_facts(const struct project *project, struct fact_image **ret, size_t *ret_count,
		      struct error *err);
void images_here_free_facts(struct fact_image *facts, size_t count);

#endif
