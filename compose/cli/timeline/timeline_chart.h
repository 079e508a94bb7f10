/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_TIMELINE_TIMELINE_CHART_H
#define COMPOSE_CLI_TIMELINE_TIMELINE_CHART_H

/*
 * timeline_chart.h - the last start (compose/control/timeline.h) as rows of spans, and these as
 * text, SVG or JSON. Touches nothing but its arguments.
 *
 * A row is a container, or a network, a volume or an image that was made or fetched for them; rows
 * are in the order in which their first operation began. The critical path leads from the operation
 * that ended last back over the prerequisite that each waited for last: only what is on it made the
 * start take as long as it did.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

enum phase {
	PHASE_WAITING, /* for `what` */
	PHASE_PULLING,
	PHASE_BUILDING,
	PHASE_CREATING,
	PHASE_STARTING,
	PHASE_PROBING,    /* until healthy */
	PHASE_COMPLETING, /* until it has ended well */
	PHASE_STOPPING,
	PHASE_CHANGING,
	PHASE_RUNNING,
	PHASE_FAILED,
	PHASES,
};

struct chart_span {
	enum phase phase;
	int64_t begin_usec, end_usec; /* since the start began */
	bool critical;
	bool shared; /* an image is fetched or built, which has a row of its own */
	char *what;  /* waiting: for what it waited last; may be NULL */
};

struct chart_row {
	char *label;
	struct chart_span *spans; /* in the order of time */
	size_t count;
	bool critical;
};

struct chart_step { /* of the critical path */
	char *label;
	enum phase phase;
	int64_t begin_usec, end_usec;
};

struct chart {
	char *project;
	char *command;
	int64_t time_nsec, duration_usec, omitted;
	struct chart_row *rows;
	size_t count;
	struct chart_step *path; /* from the first to the last */
	size_t path_count;
};

/* @timeline as the file has it. -EINVAL: it has not that form. chart_done() in any case. */
int chart_init(struct chart *chart, const char *project, const json_t *timeline, struct error *err);
void chart_done(struct chart *chart);

/* New strings. @columns: width of the lines; @color: escape sequences are welcome. */
char *chart_text(const struct chart *chart, size_t columns, bool color);
char *chart_svg(const struct chart *chart);
/* {project, command, time, duration_ms, rows: [...], critical_path: [...]}; new reference. */
json_t *chart_json(const struct chart *chart);

const char *phase_name(enum phase phase);

#endif
