// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/args/target.h"
#include "compose/cli/command.h"
#include "compose/cli/ps_rows.h"
#include "compose/cli/view/output.h"

static bool all, no_trunc, quiet, services_only, orphans = true;
static char **statuses;
static const char *filter, *format;

static const struct option options[] = {
	{"all", 'a', OPTION_FLAG, &all, NULL, "Also those that do not run"},
	{"filter", 0, OPTION_STRING, &filter, "string", "status=STATE: only containers in it"},
	{"format", 0, OPTION_STRING, &format, "string",
	 "table, json, or a template such as '{{.Name}}'"},
	{"no-trunc", 0, OPTION_FLAG, &no_trunc, NULL, "Show ids and commands whole"},
	{"orphans", 0, OPTION_FLAG, &orphans, NULL,
	 "Also containers of services that left the file"},
	{"quiet", 'q', OPTION_FLAG, &quiet, NULL, "Ids only"},
	{"services", 0, OPTION_FLAG, &services_only, NULL, "Names of services only"},
	{"status", 0, OPTION_LIST, &statuses, "stringArray",
	 "Only containers that are running, paused, restarting, created, exited, removing or dead"},
	{NULL},
};

static const char *const columns[] = {
	"NAME",    "Name",       "IMAGE",  "Image",  "COMMAND", "Command", "SERVICE", "Service",
	"CREATED", "RunningFor", "STATUS", "Status", "PORTS",   "Ports",   NULL,
};

static int read_filter(struct error *err)
{
	const char *equals = filter ? strchr(filter, '=') : NULL;

	if (!filter || !filter[0])
		return 0;
	if (!equals)
		return error_set(err, EINVAL, "arguments to --filter should be in form KEY=VAL");
	if (strncmp(filter, "status=", 7) == 0) {
		strv_append(&statuses, equals + 1);
		return 0;
	}
	if (strncmp(filter, "source=", 7) == 0)
		return 0;
	return error_set(err, EINVAL, "unknown filter %.*s", (int)(equals - filter), filter);
}

static bool wanted(const struct target *target, const json_t *container)
{
	const char *state = json_get_string(container, "state") ?: "";
	const char *service = json_get_string(container, "service") ?: "";

	if (!orphans && target->project && !project_service(target->project, service))
		return false;
	/* Those of `run` are shown with all others only. */
	if (!all && json_get_bool(container, "oneoff", false))
		return false;
	if (statuses)
		return strv_contains(statuses, state);
	return all || container_is_running(container);
}

static void print_ids(const json_t *containers)
{
	json_t *container;
	size_t i;

	json_array_foreach(containers, i, container)
		puts(json_get_string(container, "id") ?: "");
}

static void print_services(const json_t *containers)
{
	_cleanup_strv_ char **seen = NULL;
	json_t *container;
	size_t i;

	json_array_foreach(containers, i, container) {
		const char *service = json_get_string(container, "service");

		if (!service || strv_contains(seen, service))
			continue;
		strv_append(&seen, service);
		puts(service);
	}
}

static json_t *filtered(const struct target *target, const json_t *containers)
{
	json_t *result = json_array(), *container;
	size_t i;

	json_array_foreach(containers, i, container) {
		if (wanted(target, container))
			json_array_append(result, container);
	}
	return result;
}

static int print_rows(const struct target *target, const json_t *containers, struct error *err)
{
	_cleanup_json_ json_t *rows = json_array();
	int64_t now = units_now_nsec();
	json_t *container;
	size_t i;

	json_array_foreach(containers, i, container) {
		json_array_append_new(rows, ps_row(target->name, container, !no_trunc, now));
	}
	return output_rows(rows, format, columns, OUTPUT_LINES, err);
}

static int ask(const struct target *target, char *const *services, json_t **ret, struct error *err)
{
	if (format && format[0] && strcmp(format, "table") != 0)
		return target_containers(target, true, services, ret, err);
	return target_containers_brief(target, services, ret, err);
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_target_ struct target target = {0};
	_cleanup_json_ json_t *every = NULL, *containers = NULL;
	struct error err = ERROR_INIT;

	if (read_filter(&err) < 0 || target_open(args, argv, &target, &err) < 0 ||
	    ask(&target, argv, &every, &err) < 0)
		return output_fail(args, &err);
	containers = filtered(&target, every);
	if (quiet)
		print_ids(containers);
	else if (services_only)
		print_services(containers);
	else if (print_rows(&target, containers, &err) < 0)
		return output_fail(args, &err);
	return 0;
}

const struct command command_ps = {
	.name = "ps",
	.operands = "[OPTIONS] [SERVICE...]",
	.summary = "Show the project's containers",
	.options = options,
	.max_operands = -1,
	.reads = true,
	.run = run,
};
