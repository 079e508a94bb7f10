/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_UP_OPTIONS_H
#define COMPOSE_CLI_UP_OPTIONS_H

/*
 * up_options.h - what `up` and `create` have in common: flags, and getting ready to converge.
 */

#include "compose/cli/converge.h"

struct up_options {
	bool build, no_build, force_recreate, no_recreate, remove_orphans, quiet_pull, quiet_build;
	bool yes, timeout_given;
	const char *pull;
	const char *ports; /* auto, fixed; NULL: not said */
	char **scales;
	int timeout;
};

extern struct up_options up_options;

int up_options_check(struct error *err);

/*
 * Loads the project, checks services and images, and fills in @ret with name, project and options
 * of goal PLAN_UP. Prints errors; exit code, 0 to go on. up_options_done() releases.
 */
int up_options_prepare(struct project_args *args, char *const *services, bool no_deps,
		       struct project **ret_project, struct converge *ret);
/*
 * The images of @services (NULL: all) and, unless @no_deps, of what they depend on are here, by all
 * that the options allow; or on their way, where @converge is an `up`; in a dry run, @converge says
 * what would be got. Prints errors; exit code, 0 to go on. up_options_done() releases.
 */
int up_options_images(struct project_args *args, struct project *project, char *const *services,
		      bool no_deps, struct converge *converge);

void up_options_done(struct converge *converge);

#endif
