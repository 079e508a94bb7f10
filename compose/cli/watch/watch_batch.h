/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_WATCH_WATCH_BATCH_H
#define COMPOSE_CLI_WATCH_WATCH_BATCH_H

/*
 * watch_batch.h - some paths changed: what each rule wants done about it, service by service.
 * Blocks as long as it takes.
 */

#include "common/map.h"

#include "compose/cli/watch/watch_session.h"

struct watch_batch {
	struct project_args *args;
	struct project *project;
	const struct watch_rules *rules;
	const struct watch_session_options *options;
	const struct map *paths; /* keys; absolute */
	bool initial;            /* nothing changed: bring what is not there yet */
};

/* Prints its errors; exit code. */
int watch_batch_run(const struct watch_batch *batch);

/* A line about the watching, on stdout. */
void watch_say(const struct watch_session_options *options, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
