/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_REMOTE_REMOTE_CONFIRM_H
#define COMPOSE_CLI_REMOTE_REMOTE_CONFIRM_H

/*
 * remote_confirm.h - before what others wrote is run: where it lies, and what of our environment
 * goes into it.
 */

#include "compose/cli/args/project_args.h"
#include "compose/model/project.h"

/*
 * Nothing for a project whose files are of this machine. For another's, that -f names, says on
 * stderr where it lies and, if it has variables, shows them and asks, unless @yes. -ECANCELED: the
 * answer was no; so it is where there is nobody to answer.
 */
int remote_confirm(struct project_args *args, const struct project *project, bool yes,
		   struct error *err);

#endif
