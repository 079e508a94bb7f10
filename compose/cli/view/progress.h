/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_VIEW_PROGRESS_H
#define COMPOSE_CLI_VIEW_PROGRESS_H

/*
 * progress.h - how the work goes on, on stderr (stdout with COMPOSE_STATUS_STDOUT=1): redrawn lines
 * on a terminal, one line a change elsewhere, JSON, or nothing (--progress). In systemd's journal
 * only what none of berth's own messages say: images that are fetched or built, and warnings.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct project_args;
struct progress;

/* A value of --progress for units. */
#define PROGRESS_JOURNAL "journal"

enum progress_status { PROGRESS_WORKING, PROGRESS_DONE, PROGRESS_WARNING, PROGRESS_ERROR };

/* @verb for the header: "up" gives "[+] up 3/5". */
struct progress *progress_new(const struct project_args *args, const char *verb);
/* Draws the last state and ends. */
void progress_free(struct progress *progress);

/* @id "Container web-app-1", @text "Starting", @details "" or more. */
void progress_set(struct progress *progress, const char *id, enum progress_status status,
		  const char *text, const char *details);
/* A part of the task @parent, a layer of an image: with a bar where there is a @total. */
void progress_set_part(struct progress *progress, const char *parent, const char *id,
		       enum progress_status status, const char *text, uint64_t current,
		       uint64_t total);
/* The same from a supervisor's `progress` event; what is malformed is passed over. */
void progress_event(struct progress *progress, const json_t *event);

/* What is still being worked at, "Container web-app-1, ...", the first few; allocated, or NULL. */
char *progress_unfinished(const struct progress *progress);

/* Lines are redrawn on a terminal. */
bool progress_on_screen(const struct progress *progress);

/* Milliseconds until progress_tick() wants to be called, for poll(); -1: never. */
int progress_timeout(const struct progress *progress);
void progress_tick(struct progress *progress);

/* For a handler of a signal by which the program ends: a frame may have hidden it. */
void progress_show_cursor(void);

/* Other output comes between: from now on a line for each change, on a terminal as well. */
void progress_by_lines(struct progress *progress);

/*
 * Other output follows, on the same terminal: leaves what is drawn where it is; from now on only
 * warnings and errors are told, a line each.
 */
void progress_freeze(struct progress *progress);

#endif
