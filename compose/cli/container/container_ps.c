// SPDX-License-Identifier: GPL-2.0-or-later

/* `container ls`: containers of all projects, as `docker ps` shows them. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/command.h"
#include "compose/cli/container/container_filter.h"
#include "compose/cli/image/store_here.h"
#include "compose/cli/machine.h"
#include "compose/cli/ps_rows.h"
#include "compose/cli/registry/docker_config.h"
#include "compose/cli/system/prune.h"
#include "compose/cli/view/output.h"

static bool all, latest, no_trunc, quiet, size;
static int last = -1;
static char **filters;
static const char *format;

static const struct option options[] = {
	{"all", 'a', OPTION_FLAG, &all, NULL, "Also those that do not run"},
	{"filter", 'f', OPTION_LIST, &filters, "filter",
	 "name=TEXT, id=, status=, label=KEY[=VALUE], ancestor=IMAGE, exited=CODE, health=, "
	 "network=, volume=, publish=, expose=, before=, since=, is-task="},
	{"format", 0, OPTION_STRING, &format, "string",
	 "table, json, or a template such as '{{.Names}}'"},
	{"last", 'n', OPTION_INT, &last, "int", "The last so many, running or not"},
	{"latest", 'l', OPTION_FLAG, &latest, NULL, "The last one, running or not"},
	{"no-trunc", 0, OPTION_FLAG, &no_trunc, NULL, "Show ids and commands whole"},
	{"quiet", 'q', OPTION_FLAG, &quiet, NULL, "Ids only"},
	{"size", 's', OPTION_FLAG, &size, NULL, "With the bytes that they take"},
	{NULL},
};

static const char *const columns[] = {
	"CONTAINER ID", "ID",     "IMAGE", "Image", "COMMAND", "Command", "CREATED", "RunningFor",
	"STATUS",       "Status", "PORTS", "Ports", "NAMES",   "Names",   NULL,
};

static const char *const columns_with_size[] = {
	"CONTAINER ID", "ID",         "IMAGE",  "Image",  "COMMAND", "Command",
	"CREATED",      "RunningFor", "STATUS", "Status", "PORTS",   "Ports",
	"NAMES",        "Names",      "SIZE",   "Size",   NULL,
};

DEFINE_CLEANUP(struct image_store *, image_store_close);
DEFINE_CLEANUP(struct image *, image_free);

/* "2B (virtual 4.3MB)": what it wrote, and that with its image. */
static void put_size(json_t *row, const json_t *container)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	_cleanup_(cleanup_image_free) struct image *image = NULL;
	uint64_t written = prune_container_bytes(container);
	struct error gone = ERROR_INIT;
	char own[32], whole[32];

	if (store_here_open(&store, &gone) >= 0)
		(void)image_find(store, json_get_string(container, "image_id") ?: "", &image,
				 &gone);
	units_format_size(written, own, sizeof(own));
	units_format_size(written + (image ? image->size_bytes : 0), whole, sizeof(whole));
	json_object_set_new(row, "Size", json_sprintf("%s (virtual %s)", own, whole));
}

static bool runs(const json_t *container)
{
	const char *state = json_get_string(container, "state") ?: "";

	return !strcmp(state, "running") || !strcmp(state, "paused") ||
	       !strcmp(state, "restarting");
}

/* A status that is asked for is shown, whether it is one that runs. */
static bool every_state(void)
{
	return all || last >= 0 || container_filter_has(filters, "status") ||
	       container_filter_has(filters, "exited");
}

static int print(const json_t *containers, struct error *err)
{
	_cleanup_json_ json_t *rows = json_array();
	int64_t now = units_now_nsec();
	int shown = 0;
	json_t *container, *row;
	size_t i;

	json_array_foreach(containers, i, container) {
		const char *project = json_get_string(container, "project");
		const char *id = json_get_string(container, "id") ?: "";
		int r;

		if ((last >= 0 && shown >= last) || (!every_state() && !runs(container)))
			continue;
		r = container_filter_match(filters, container, containers, err);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		shown++;
		if (quiet) {
			printf("%.*s\n", no_trunc ? 64 : 12, id);
			continue;
		}
		row = ps_row(project, container, !no_trunc, now);
		json_array_append_new(rows, row);
		if (size || (format && strstr(format, ".Size")))
			put_size(row, container);
	}
	return quiet ? 0
		     : output_rows(rows, format, size ? columns_with_size : columns, OUTPUT_LINES,
				   err);
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_json_ json_t *containers = NULL;
	struct error err = ERROR_INIT;

	format = docker_config_format(format, "psFormat");
	if (latest)
		last = 1;
	if (container_filter_check(filters, &err) < 0 ||
	    machine_containers(every_state(), &containers, &err) < 0 || print(containers, &err) < 0)
		return output_fail(args, &err);
	return 0;
}

const struct command command_container_ls = {
	.name = "ls",
	.aliases = "ps list",
	.operands = "[OPTIONS]",
	.summary = "Show the containers of all projects",
	.options = options,
	.run = run,
};
