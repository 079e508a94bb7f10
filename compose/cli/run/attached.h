/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_RUN_ATTACHED_H
#define COMPOSE_CLI_RUN_ATTACHED_H

/*
 * attached.h - `up` without -d: makes it so, shows the logs meanwhile and after, and stops it all
 * on Ctrl-C (a second one kills), or when a container's end asks for it.
 */

#include "compose/cli/converge.h"
#include "compose/cli/logs/log_session.h"

struct attached_options {
	bool abort_on_exit, abort_on_failure;
	const char *exit_code_from; /* service; NULL: none */
	bool menu;                  /* keys: d leaves all running, w begins and ends watching */
	bool watch;                 /* from the start */
	const char *timeline;       /* file for the chart, once all is started; NULL: none */
	struct project *watched;    /* what w is about; of it ... */
	char *const *services;      /* ... these; NULL or none: all */
};

/* @session with its services, shown ones and printer set; @converge as for converge_run(). */
int attached_run(struct project_args *args, struct converge *converge, struct log_session *session,
		 const struct attached_options *options);

#endif
