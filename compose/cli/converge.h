/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_CONVERGE_H
#define COMPOSE_CLI_CONVERGE_H

/*
 * converge.h - "make it so": the one request behind up, down, start, stop, restart, kill, rm, ...
 */

#include <jansson.h>

#include "common/error.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/client.h"
#include "compose/cli/ports_auto.h"
#include "compose/cli/registry/due_images.h"
#include "compose/cli/registry/pull_beside.h"
#include "compose/cli/view/progress.h"
#include "compose/plan/plan.h"

/* The OPTIONS of compose/control/requests.h; new reference. */
json_t *converge_options(const struct plan_options *options);

/* The arguments of the request, without `coming`; @project may be NULL. New reference. */
json_t *converge_arguments(const struct project *project, const struct plan_options *options,
			   bool dry_run);

/* What one event of the request asks of us: progress, warnings, a plan's text. */
void converge_show(struct progress *progress, const json_t *event);

struct converge {
	const char *name;
	const struct project *project; /* may be NULL, with options.by_label */
	struct plan_options options;
	struct due_images due;      /* in a dry run: what options.images are; up_options_done() */
	struct ports_auto *ports;   /* chosen once more where one is taken; NULL: fixed */
	const char *verb;           /* heading of the progress */
	int64_t begun_nsec;         /* when the command began: what it pulled and built counts */
	int64_t wait_timeout_usec;  /* --wait-timeout; 0: no limit */
	bool may_pull_beside;       /* missing images may still come while others start ... */
	struct pull_beside *beside; /* ... and these do; taken; NULL: none */
	/* Out: nobody knows the project, so nobody was asked; never with PLAN_UP. */
	bool nothing;
};

/*
 * The whole request with progress, or with --dry-run the plan on stdout. Exit code; errors are
 * printed. A project that nobody knows needs no supervisor to be told what there is to do.
 */
int converge_run(struct project_args *args, struct converge *converge);

/*
 * Whether the request that failed with @err is worth being made once more: somebody took a port
 * between our choice and the container that was to have it, and now there is another choice, told
 * beside @progress. Images that are pulled meanwhile go on coming.
 */
bool converge_chose_again(struct converge *converge, struct progress *progress,
			  const struct error *err);

/*
 * -t as every command has it, in seconds; @given false: -1, each service's own. In microseconds.
 */
int64_t converge_timeout_usec(bool given, int seconds);

/* From now on Ctrl-C and SIGTERM end us with 130 as docker compose does, not by the signal. */
void converge_exit_on_signals(void);

/* The named services all are in the project, else -ENOENT "no such service: X". */
int converge_check_services(const struct project *project, char *const *services,
			    struct error *err);

#endif
