/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_RUN_RUN_SESSION_H
#define COMPOSE_CLI_RUN_RUN_SESSION_H

/*
 * run_session.h - one container made and started by request `run` (compose/control/requests.h), and
 * in the foreground waited for: its streams are ours, or its terminal, and our signals are its.
 */

#include <jansson.h>
#include <stdbool.h>

#include "common/error.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/converge.h"

struct detach_keys;

struct run_session {
	const struct converge *converge; /* options.oneoff: the container's name */
	json_t *oneoff_project;          /* borrowed */
	const char *detach_keys;         /* NULL: the default */
	bool detach, interactive, tty;   /* tty: our terminal is its */
	bool auto_remove, use_aliases;
	bool quiet;
	bool no_signals;           /* our signals are ours */
	bool no_stdout, no_stderr; /* what it says there is logged, and not shown */
	/* Out. */
	char *id;         /* of the container, once it runs or has run; the caller's */
	bool interrupted; /* said already */
	int exit_code;
};

/* Negative: exit with session->exit_code all the same. Progress and warnings are shown. */
int run_session(struct project_args *args, struct run_session *session, struct error *err);

#endif
