/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_VIEW_PROGRESS_SCREEN_H
#define COMPOSE_CLI_VIEW_PROGRESS_SCREEN_H

/*
 * progress_screen.h - the lines of a progress display, as bytes for a terminal of a given size.
 *
 * Each frame goes over the one before: no line is ever wider than the screen nor are there more of
 * them than it has rows, so that the way back up is known; also after the terminal got narrower
 * and wrapped what was drawn. One frame is one string, to be written at once.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/str.h"

#include "compose/cli/view/progress.h"

#define PROGRESS_CURSOR "\033[?25h" /* is shown */

struct progress_task {
	char *id, *text, *details;
	enum progress_status status;
	int64_t started_usec, ended_usec; /* 0: not yet */
	char *parent;                     /* of which it is a part, drawn below it; or NULL */
	uint64_t current, total;          /* of a part: bytes; total 0: nothing to measure */
};

struct progress_screen {
	const char *verb;
	bool color;
	bool still;         /* the last frame: nothing moves any more, whatever is unfinished */
	unsigned int frame; /* of the spinner */
	/* What is on the screen: the widths of the lines. */
	size_t *widths;
	size_t line_count;
};

/* Appends the next frame to @out. */
void progress_screen_draw(struct progress_screen *screen, const struct progress_task *tasks,
			  size_t count, unsigned short columns, unsigned short rows,
			  int64_t now_usec, struct strbuf *out);
/* Others wrote below it: the next frame begins anew, where the cursor is. */
void progress_screen_leave(struct progress_screen *screen);
void progress_screen_done(struct progress_screen *screen);

#endif
