/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_BUILD_BUILD_PROCESS_H
#define COMPOSE_CLI_BUILD_BUILD_PROCESS_H

/*
 * build_process.h - builds in processes of their own, several side by side, and what they tell.
 */

#include <jansson.h>

#include "common/str.h"

#include "compose/cli/build/build_view.h"

struct build_job {
	const char *name; /* the service's; NULL: there is one build */
	struct build_options options;
	/* filled in */
	bool started, done, failed, warned;
	bool is_new;             /* see struct build_result */
	char *image_id, *report; /* NULL: no image was wanted; nothing to tell */
	int64_t started_nsec;
	json_t *materials; /* the images it was made of, as provenance names them */
	struct error error;
	int exit_code;
	/* while it runs */
	int pid, fd;
	struct strbuf received;
	char **after; /* names of those that must be done first (owned by the caller) */
};

/* Runs them all; after a failure those that run are ended. 0, or the first failure's error. */
int build_process_run(struct build_job *jobs, size_t count, struct build_view *view,
		      struct error *err);
void build_job_done(struct build_job *job);

#endif
