/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_ARGS_DRY_RUN_H
#define COMPOSE_CLI_ARGS_DRY_RUN_H

/*
 * dry_run.h - the plan for a project that does not exist yet, made without a supervisor: asking
 * what would happen must not be what makes something happen.
 */

#include "compose/plan/plan.h"

/* *ret is the caller's; warnings are printed. */
int dry_run_make(const struct project *project, const struct plan_options *options,
		 struct plan **ret, struct error *err);

/* Prints it on stdout. */
int dry_run_print(const struct project *project, const struct plan_options *options,
		  struct error *err);

#endif
