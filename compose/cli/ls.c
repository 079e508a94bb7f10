// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/target.h"
#include "compose/cli/command.h"
#include "compose/cli/keeper_start.h"
#include "compose/cli/machine.h"
#include "compose/cli/projects.h"
#include "compose/cli/view/list_filter.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

static bool all, quiet;
static char **filters;
static const char *format;

static const struct option options[] = {
	{"all", 'a', OPTION_FLAG, &all, NULL,
	 "Also projects of which nothing runs, and single containers"},
	{"filter", 0, OPTION_LIST, &filters, "filter", "name=REGEX: projects whose name has it"},
	{"format", 0, OPTION_STRING, &format, "string", "table (default) or json"},
	{"quiet", 'q', OPTION_FLAG, &quiet, NULL, "Names only"},
	{NULL},
};

static const char *const columns[] = {
	"NAME", "Name", "STATUS", "Status", "CONFIG FILES", "ConfigFiles", NULL,
};

/* "exited(1), running(2)": of those that run, but with --all. */
static char *status_text(const json_t *containers)
{
	static const char *const states[] = {"created",  "dead",       "exited", "paused",
					     "removing", "restarting", "running"};
	struct strbuf text = {0};

	array_foreach(state, states) {
		size_t i, count = 0;
		json_t *container;

		json_array_foreach(containers, i, container) {
			count += (all || container_is_running(container)) &&
				 str_equal(json_get_string(container, "state"), *state);
		}
		if (count)
			strbuf_addf(&text, "%s%s(%zu)", text.length ? ", " : "", *state, count);
	}
	return strbuf_take(&text);
}

static char *config_files(const json_t *reply)
{
	_cleanup_strv_ char **list = json_get_strv(reply, "config_files");
	const char *text = json_get_string(reply, "config_files");

	if (list)
		return strv_join(list, ",");
	return alloc_string(text ? text : "");
}

/* A project that nobody supervises since the last boot: its containers have all ended. */
static json_t *row_from_disk(const char *name)
{
	_cleanup_free_ char *state = paths_project_state(name);
	_cleanup_free_ char *containers = str_printf("%s/containers", state);
	_cleanup_strv_ char **ids = NULL;
	struct error ignored = ERROR_INIT;
	char status[32] = "";

	if (fs_list(AT_FDCWD, containers, &ids, &ignored) < 0 || !ids)
		return NULL;
	snprintf(status, sizeof(status), "exited(%zu)", strv_length(ids));
	return json_pack("{s:s, s:s, s:s}", "Name", name, "Status", status, "ConfigFiles", "");
}

/* New reference, or NULL when the project is not to be shown. */
static json_t *project_row(const char *name, struct error *err)
{
	_cleanup_json_ json_t *arguments = json_pack("{s:b, s:b}", "all", 1, "brief", 1);
	_cleanup_json_ json_t *reply = NULL;
	_cleanup_free_ char *status = NULL, *files = NULL;
	json_t *containers, *container;
	bool running = false;
	size_t i;

	if (!keeper_runs(name))
		return all ? row_from_disk(name) : NULL;
	if (client_call(name, CLIENT_START_FOR_STATE, REQUEST_PS, arguments, &reply, err) < 0)
		return NULL;
	containers = json_object_get(reply, "containers");
	json_array_foreach(containers, i, container) {
		running = running || container_is_running(container);
	}
	if (json_array_size(containers) == 0 || (!all && !running))
		return NULL;
	status = status_text(containers);
	files = config_files(reply);
	return json_pack("{s:s, s:s, s:s}", "Name", name, "Status", status, "ConfigFiles", files);
}

static int check_filters(struct error *err)
{
	strv_foreach(filter, filters) {
		if (!str_starts_with(filter, "name="))
			return error_set(err, EINVAL, "invalid filter '%s'", filter);
	}
	return 0;
}

static bool matches(const char *name)
{
	strv_foreach(filter, filters) {
		if (list_filter_name(name, filter + 5))
			return true;
	}
	return !filters;
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_strv_ char **projects = NULL;
	_cleanup_json_ json_t *rows = json_array();
	struct error err = ERROR_INIT;
	json_t *row;
	size_t i;

	if (check_filters(&err) < 0 || projects_list(&projects, &err) < 0)
		return output_fail(args, &err);
	strv_foreach(name, projects) {
		struct error failed = ERROR_INIT;

		if (single_is(name) && !all)
			continue;
		row = matches(name) ? project_row(name, &failed) : NULL;
		if (row)
			json_array_append_new(rows, row);
		else if (failed.code && failed.code != ENOENT)
			output_warn("%s", failed.message);
	}
	if (quiet) {
		json_array_foreach(rows, i, row)
			puts(json_get_string(row, "Name"));
		return 0;
	}
	if (output_rows(rows, format, columns, OUTPUT_ARRAY, &err) < 0)
		return output_fail(args, &err);
	return 0;
}

const struct command command_ls = {
	.name = "ls",
	.operands = "[OPTIONS]",
	.summary = "Show the projects on this machine",
	.options = options,
	.reads = true,
	.run = run,
};
