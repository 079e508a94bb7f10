/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_REGISTRY_PULL_RUN_H
#define COMPOSE_CLI_REGISTRY_PULL_RUN_H

/*
 * pull_run.h - pulls a set of images, showing how it goes; Ctrl-C leaves nothing half done.
 */

#include "compose/cli/args/project_args.h"
#include "compose/cli/registry/pull_services.h"
#include "compose/cli/registry/pull_view.h"

/*
 * All of them side by side. With @ignore_failures those that failed are told and no more. Exit
 * code; errors are printed.
 */
int pull_run(struct project_args *args, struct pull_services *set, const char *verb, bool quiet,
	     bool ignore_failures);

/* The pieces of it. Adds @set to @pull, and what is passed over to the view. */
void pull_run_add(struct pull *pull, const struct pull_services *set, struct pull_view *view);
/* Those that failed by now: which can be built, and the first that cannot. As pull_run(). */
int pull_run_judge(struct project_args *args, const struct pull_services *set,
		   bool ignore_failures);

#define PULL_INTERRUPTED 130 /* exit code */

/* SIGINT and SIGTERM, to be polled for. */
int pull_run_signals(struct error *err);
/* Takes @fd; what has come is forgotten, what comes acts again. */
void pull_run_signals_end(int fd);

#endif
