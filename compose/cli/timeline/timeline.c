// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * timeline.c - `berth timeline`: where the time of the last start went.
 */
#include "compose/cli/timeline/timeline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/target.h"
#include "compose/cli/command.h"
#include "compose/cli/timeline/timeline_chart.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"
#include "compose/control/timeline.h"

static const char *format;

static const struct option options[] = {
	{"format", 0, OPTION_STRING, &format, "string", "text (default), svg or json"},
	{NULL},
};

/* -ENOENT: nothing was started. */
static int read_chart(const char *project, struct chart *ret, struct error *err)
{
	_cleanup_free_ char *state = paths_project_state(project);
	_cleanup_free_ char *path = str_printf("%s/%s", state, TIMELINE_FILE);
	_cleanup_json_ json_t *timeline = NULL;
	int r = json_read(AT_FDCWD, path, TIMELINE_MAX_BYTES, &timeline, err);

	if (r == -ENOENT)
		return error_set(err, ENOENT,
				 "project %s: nothing was started yet: berth up does so", project);
	return r < 0 ? r : chart_init(ret, project, timeline, err);
}

static int save(const struct chart *chart, const char *path, struct error *err)
{
	_cleanup_free_ char *svg = chart_svg(chart);
	FILE *out = fopen(path, "we");
	bool written;

	if (!out)
		return error_errno(err, "%s", path);
	written = fputs(svg, out) >= 0;
	if (fclose(out) != 0 || !written)
		return error_errno(err, "%s", path);
	return 0;
}

int timeline_save(const struct project_args *args, const char *project, const char *path,
		  int64_t since_nsec)
{
	struct error err = ERROR_INIT;
	struct chart chart = {0};
	int r = read_chart(project, &chart, &err);

	if (r == -ENOENT || (r == 0 && chart.time_nsec < since_nsec)) {
		output_warn("--timeline: nothing was started, or not to its end: %s is not written",
			    path);
		r = 0;
	} else if (r == 0) {
		r = save(&chart, path, &err);
	}
	chart_done(&chart);
	return r < 0 ? output_fail(args, &err) : 0;
}

static void print(const struct project_args *args, const struct chart *chart, const char *style)
{
	_cleanup_json_ json_t *json = NULL;
	_cleanup_free_ char *text = NULL;
	unsigned short columns, rows;

	if (!strcmp(style, "json")) {
		json = chart_json(chart);
		text = json_text(json);
		puts(text);
		return;
	}
	output_terminal_size(STDOUT_FILENO, &columns, &rows);
	text = !strcmp(style, "svg")
		       ? chart_svg(chart)
		       : chart_text(chart, columns, output_color(args, STDOUT_FILENO));
	fputs(text, stdout);
}

static int run(struct project_args *args, int argc, char **argv)
{
	static const char *const styles[] = {"text", "svg", "json"};
	_cleanup_target_ struct target target = {0};
	struct error err = ERROR_INIT;
	const char *style = NULL;
	struct chart chart = {0};
	int r;

	array_foreach(known, styles)
		if (!strcmp(format ? format : "text", *known))
			style = *known;
	if (!style)
		r = error_set(&err, EINVAL,
			      "unsupported format \"%s\": there are text, svg and json", format);
	else
		r = target_open(args, NULL, &target, &err);
	if (r == 0)
		r = read_chart(target.name, &chart, &err);
	if (r == 0)
		print(args, &chart, style);
	chart_done(&chart);
	return r < 0 ? output_fail(args, &err) : 0;
}

const struct command command_timeline = {
	.name = "timeline",
	.operands = "[OPTIONS]",
	.summary = "Show what the last start of the project took its time for",
	.options = options,
	.run = run,
};
