/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_LOGS_LINE_WATCH_H
#define COMPOSE_SUPERVISOR_LOGS_LINE_WATCH_H

/*
 * line_watch.h - whether a line that matches has come by, in what a container says.
 *
 * Fed piece by piece as the pump reads; a line is put together up to LINE_WATCH_MAX bytes, and
 * what is longer is looked at by its beginning.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#include "compose/supervisor/logs/pump.h"

#define LINE_WATCH_MAX 4096

struct line_watch;

/* @pattern is an extended regular expression, regex(7). */
int line_watch_new(const char *pattern, struct line_watch **ret, struct error *err);
void line_watch_free(struct line_watch *watch);

/* True from the first line on that matches. An unfinished line is looked at when it ends. */
bool line_watch_feed(struct line_watch *watch, enum log_stream stream, const char *data,
		     size_t size);
/*
 * The same with what the log at @dirfd has since @since_nsec: for who was not there to see it.
 * Reads files, so it is a job's.
 */
bool line_watch_scan(struct line_watch *watch, int dirfd, int64_t since_nsec);

#endif
