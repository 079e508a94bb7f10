/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_PUBLISH_PUBLISH_CHECKS_H
#define COMPOSE_CLI_PUBLISH_PUBLISH_CHECKS_H

/*
 * publish_checks.h - what a project says that should not go to a registry by mistake.
 */

#include "common/error.h"

#include "compose/load/portable.h"
#include "compose/model/project.h"

struct publish_checks {
	const struct project *project; /* env_file not resolved into its environments */
	const struct portable *files;
	bool with_environment; /* environments may be told */
	bool yes;              /* instead of asking */
};

/*
 * 1: go on; 0: the user, asked on stdout, does not want it. -EINVAL: it cannot, or must not without
 * --with-env, be published.
 */
int publish_checks(const struct publish_checks *checks, struct error *err);

#endif
