// SPDX-License-Identifier: GPL-2.0-or-later
/* `network ls`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "netmgr/network.h"

#include "compose/cli/command.h"
#include "compose/cli/projects.h"
#include "compose/cli/registry/docker_config.h"
#include "compose/cli/view/list_filter.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

DEFINE_CLEANUP(struct network_store *, network_store_close);

static bool quiet, no_trunc;
static char **filters;
static const char *format;

static const struct option options[] = {
	{"filter", 'f', OPTION_LIST, &filters, "filter",
	 "name=REGEX, id=, driver=, scope=, type=custom|builtin, dangling=true|false, "
	 "label=KEY[=VALUE]"},
	{"format", 0, OPTION_STRING, &format, "string",
	 "table, json, or a template such as '{{.Name}}'"},
	{"no-trunc", 0, OPTION_FLAG, &no_trunc, NULL, "Show ids whole"},
	{"quiet", 'q', OPTION_FLAG, &quiet, NULL, "Ids only"},
	{NULL},
};

static const char *const columns[] = {
	"NETWORK ID", "ID", "NAME", "Name", "DRIVER", "Driver", "SCOPE", "Scope", NULL,
};

static json_t *row_of(const struct network_info *info)
{
	_cleanup_free_ char *labels = output_labels(info->labels);
	_cleanup_free_ char *id = no_trunc ? alloc_string(info->id) : alloc_string_n(info->id, 12);
	json_t *row = json_object();
	char created[UNITS_TIME_MAX];

	json_put_string(row, "CreatedAt",
			units_format_time(info->created_nsec, created, sizeof(created)));
	json_put_string(row, "Driver", info->driver);
	json_put_string(row, "ID", id);
	json_put_string(row, "IPv4", info->ipv4 ? "true" : "false");
	json_put_string(row, "IPv6", info->ipv6 ? "true" : "false");
	json_put_string(row, "Internal", info->internal ? "true" : "false");
	json_put_string(row, "Labels", labels);
	json_put_string(row, "Name", info->name);
	json_put_string(row, "Scope", "local");
	return row;
}

struct listed {
	const struct network_info *info;
	const json_t *records; /* of all containers */
};

static bool has_name(const void *object, const char *value)
{
	const struct listed *listed = object;

	return list_filter_name(listed->info->name, value);
}

static bool has_id(const void *object, const char *value)
{
	const struct listed *listed = object;

	return str_starts_with(listed->info->id, value);
}

static bool has_driver(const void *object, const char *value)
{
	const struct listed *listed = object;

	return str_equal(listed->info->driver, value);
}

static bool has_scope(const void *object, const char *value)
{
	return !strcmp(value, "local");
}

/* Docker's own default network is the one that no user made. */
static bool has_type(const void *object, const char *value)
{
	const struct listed *listed = object;
	bool builtin = !strcmp(listed->info->name, "bridge");

	return !strcmp(value, builtin ? "builtin" : "custom");
}

static bool is_dangling(const void *object, const char *value)
{
	const struct listed *listed = object;
	bool used = listed->info->attachments ||
		    projects_user_of(listed->records, "networks", listed->info->name);

	return list_filter_is_true(value) == !used;
}

static const struct list_filter known[] = {
	{"name", has_name},   {"id", has_id},     {"driver", has_driver},
	{"scope", has_scope}, {"type", has_type}, {"dangling", is_dangling},
	{NULL, NULL},
};

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_network_store_close) struct network_store *store = NULL;
	_cleanup_json_ json_t *rows = json_array(), *records = NULL;
	struct network_info **infos = NULL;
	struct error err = ERROR_INIT;
	size_t i, count = 0;
	json_t *row;

	if (list_filter_check(filters, known, &err) < 0 || projects_records(&records, &err) < 0 ||
	    network_store_open(paths_root(), &store, &err) < 0 ||
	    network_list(store, &infos, &count, &err) < 0)
		return output_fail(args, &err);
	for (i = 0; i < count; i++) {
		struct listed listed = {infos[i], records};

		if (list_filter_passes(filters, known, &listed, infos[i]->labels))
			json_array_append_new(rows, row_of(infos[i]));
		network_info_free(infos[i]);
	}
	free(infos);
	if (quiet) {
		json_array_foreach(rows, i, row)
			puts(json_get_string(row, "ID"));
		return 0;
	}
	format = docker_config_format(format, "networksFormat");
	if (output_rows(rows, format, columns, OUTPUT_LINES, &err) < 0)
		return output_fail(args, &err);
	return 0;
}

const struct command command_network_ls = {
	.name = "ls",
	.aliases = "list",
	.operands = "[OPTIONS]",
	.summary = "Show the networks of this machine",
	.options = options,
	.run = run,
};
