// SPDX-License-Identifier: GPL-2.0-or-later
/* `berth volume`: the volumes of all projects, and those of none. */
#include "volumes/volume.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/command.h"
#include "compose/cli/inspect/inspect.h"
#include "compose/cli/objects/volume_rows.h"
#include "compose/cli/projects.h"
#include "compose/cli/registry/docker_config.h"
#include "compose/cli/system/prune.h"
#include "compose/cli/view/list_filter.h"
#include "compose/cli/view/output.h"
#include "compose/cli/view/tree_size.h"
#include "compose/control/requests.h"

DEFINE_CLEANUP(struct volume_store *, volume_store_close);
DEFINE_CLEANUP(struct volume_info *, volume_info_free);

static int open_store(struct volume_store **ret, struct error *err)
{
	return volume_store_open(paths_root(), ret, err);
}

/* KEY=VALUE words as an object. */
/* volume create */

static char **create_labels, **create_opts;
static const char *create_driver = "local", *create_name;

static const struct option create_options[] = {
	{"driver", 'd', OPTION_STRING, &create_driver, "string", "local (default)"},
	{"label", 0, OPTION_LIST, &create_labels, "list", "KEY=VALUE kept with it"},
	{"name", 0, OPTION_STRING, &create_name, "string", NULL},
	{"opt", 'o', OPTION_LIST, &create_opts, "map", "type=, o=, device= of what is mounted"},
	{NULL},
};

static int create(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_volume_store_close) struct volume_store *store = NULL;
	_cleanup_json_ json_t *labels = json_from_pairs(create_labels),
			      *opts = json_from_pairs(create_opts);
	struct volume_options options = {.driver = create_driver, .labels = labels};
	const char *name = argc ? argv[0] : create_name;
	struct error err = ERROR_INIT;
	char random[65];
	int fd;

	options.driver_opts = json_object_size(opts) ? opts : NULL;
	if (!name) {
		fs_random_hex(random, 32);
		json_put_string(labels, "com.docker.volume.anonymous", "");
		options.anonymous = true;
		name = random;
	}
	if (open_store(&store, &err) < 0)
		return output_fail(args, &err);
	fd = volume_create(store, name, &options, &err);
	/* As docker: one that is there already is as good. */
	if (fd < 0 && fd != -EEXIST) {
		error_wrap(&err, "volume %s", name);
		return output_fail(args, &err);
	}
	puts(name);
	return 0;
}

static const struct command command_create = {
	.name = "create",
	.operands = "[OPTIONS] [VOLUME]",
	.summary = "Make a volume",
	.options = create_options,
	.max_operands = 1,
	.run = create,
};

/* volume inspect */

static const char *inspect_format;

static const struct option inspect_options[] = {
	{"format", 'f', OPTION_STRING, &inspect_format, "string",
	 "json, or a template such as '{{.Mountpoint}}'"},
	{NULL},
};

static json_t *inspect_row(const struct volume_info *info)
{
	json_t *row = json_object();
	char created[UNITS_TIME_MAX];

	json_put_string(row, "CreatedAt",
			units_format_time(info->created_nsec, created, sizeof(created)));
	json_put_string(row, "Driver", info->driver ?: "local");
	json_object_set_new(row, "Labels", info->labels ? json_incref(info->labels) : json_null());
	json_put_string(row, "Mountpoint", info->mountpoint);
	json_put_string(row, "Name", info->name);
	json_object_set_new(row, "Options",
			    info->driver_opts ? json_incref(info->driver_opts) : json_null());
	json_put_string(row, "Scope", "local");
	return row;
}

int inspect_volume(const char *name, json_t **ret, struct error *err)
{
	_cleanup_(cleanup_volume_store_close) struct volume_store *store = NULL;
	_cleanup_(cleanup_volume_info_free) struct volume_info *info = NULL;
	int r = open_store(&store, err);

	if (r >= 0)
		r = volume_inspect(store, name, &info, err);
	if (r == -ENOENT)
		return error_set(err, ENOENT, "get %s: no such volume", name);
	if (r >= 0)
		*ret = inspect_row(info);
	return r;
}

static int inspect(struct project_args *args, int argc, char **argv)
{
	return inspect_each(args, argv, inspect_format, inspect_volume);
}

static const struct command command_inspect = {
	.name = "inspect",
	.operands = "[OPTIONS] VOLUME [VOLUME...]",
	.summary = "Show all that is known of volumes",
	.options = inspect_options,
	.min_operands = 1,
	.max_operands = -1,
	.run = inspect,
};

/* volume ls */

static bool list_quiet;
static char **list_filters;
static const char *list_format;

static const struct option list_options[] = {
	{"filter", 'f', OPTION_LIST, &list_filters, "filter",
	 "name=REGEX, label=KEY[=VALUE], driver=NAME, dangling=true|false"},
	{"format", 0, OPTION_STRING, &list_format, "string",
	 "table, json, or a template such as '{{.Name}}'"},
	{"quiet", 'q', OPTION_FLAG, &list_quiet, NULL, "Names only"},
	{NULL},
};

struct listed {
	const struct volume_info *info;
	const json_t *records; /* of all containers */
};

static bool has_name(const void *object, const char *value)
{
	const struct listed *listed = object;

	return list_filter_name(listed->info->name, value);
}

static bool has_driver(const void *object, const char *value)
{
	const struct listed *listed = object;

	return str_equal(listed->info->driver ?: "local", value);
}

static bool is_dangling(const void *object, const char *value)
{
	const struct listed *listed = object;

	return list_filter_is_true(value) ==
	       !projects_user_of(listed->records, "volumes", listed->info->name);
}

static const struct list_filter known[] = {
	{"name", has_name}, {"driver", has_driver}, {"dangling", is_dangling}, {NULL, NULL}};

static int list(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_volume_store_close) struct volume_store *store = NULL;
	_cleanup_json_ json_t *rows = json_array(), *records = NULL;
	struct error err = ERROR_INIT;
	struct volume_info **infos = NULL;
	size_t i, count = 0;
	json_t *row;

	if (list_filter_check(list_filters, known, &err) < 0 ||
	    projects_records(&records, &err) < 0 || open_store(&store, &err) < 0 ||
	    volume_list(store, &infos, &count, &err) < 0)
		return output_fail(args, &err);
	for (i = 0; i < count; i++) {
		struct listed listed = {infos[i], records};

		if (list_filter_passes(list_filters, known, &listed, infos[i]->labels))
			json_array_append_new(rows, volume_row(infos[i]));
		volume_info_free(infos[i]);
	}
	free(infos);
	if (list_quiet) {
		json_array_foreach(rows, i, row)
			puts(json_get_string(row, "Name"));
		return 0;
	}
	list_format = docker_config_format(list_format, "volumesFormat");
	if (output_rows(rows, list_format, volume_columns, OUTPUT_LINES, &err) < 0)
		return output_fail(args, &err);
	return 0;
}

static const struct command command_list = {
	.name = "ls",
	.aliases = "list",
	.operands = "[OPTIONS]",
	.summary = "Show the volumes of this machine",
	.options = list_options,
	.run = list,
};

/* volume rm, prune */

static bool remove_force;

static const struct option remove_options[] = {
	{"force", 'f', OPTION_FLAG, &remove_force, NULL, "One that is not there is no error"},
	{NULL},
};

static int remove_volume(struct volume_store *store, const char *name, struct error *err)
{
	int r = volume_remove_unused(store, name, projects_check_volume_unused, NULL, err);

	return r == -ENOENT ? error_set(err, ENOENT, "get %s: no such volume", name) : r;
}

static int rm(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_volume_store_close) struct volume_store *store = NULL;
	struct error err = ERROR_INIT;
	int exit_code = 0;

	if (open_store(&store, &err) < 0)
		return output_fail(args, &err);
	for (int i = 0; i < argc; i++) {
		int r;

		error_clear(&err);
		r = remove_volume(store, argv[i], &err);
		if (r < 0 && !(r == -ENOENT && remove_force))
			exit_code = output_fail(args, &err);
		else
			puts(argv[i]);
	}
	return exit_code;
}

static const struct command command_remove = {
	.name = "rm",
	.aliases = "remove",
	.operands = "[OPTIONS] VOLUME [VOLUME...]",
	.summary = "Remove volumes, with their data",
	.options = remove_options,
	.min_operands = 1,
	.max_operands = -1,
	.run = rm,
};

int prune_volumes(const struct prune_filter *filter, bool all, uint64_t *bytes, struct error *err)
{
	_cleanup_(cleanup_volume_store_close) struct volume_store *store = NULL;
	_cleanup_json_ json_t *records = NULL;
	struct volume_info **infos = NULL;
	size_t count = 0;
	bool heading = false;

	if (open_store(&store, err) < 0 || projects_records(&records, err) < 0 ||
	    volume_list(store, &infos, &count, err) < 0)
		return -err->code;
	for (size_t i = 0; i < count; i++) {
		const struct volume_info *info = infos[i];
		struct error failed = ERROR_INIT;
		uint64_t size;

		if ((all || info->anonymous) && !projects_user_of(records, "volumes", info->name) &&
		    prune_filter_matches(filter, info->labels, info->created_nsec)) {
			size = tree_size(info->mountpoint);
			int r = volume_remove_unused(store, info->name,
						     projects_check_volume_unused, NULL, &failed);

			/* Taken into use, or removed by another, since the list was made. */
			if (r < 0 && r != -EBUSY && r != -ENOENT) {
				output_warn("volume %s: %s", info->name, failed.message);
			} else if (r == 0) {
				*bytes += size;
				printf("%s%s\n", heading ? "" : "Deleted Volumes:\n", info->name);
				heading = true;
			}
		}
		volume_info_free(infos[i]);
	}
	free(infos);
	if (heading)
		putchar('\n');
	return 0;
}

static bool prune_all, prune_force;
static char **prune_words;

static const struct option prune_options[] = {
	{"all", 'a', OPTION_FLAG, &prune_all, NULL, "Those with a name as well"},
	{"filter", 0, OPTION_LIST, &prune_words, "filter", "label=KEY[=VALUE], label!=KEY[=VALUE]"},
	{"force", 'f', OPTION_FLAG, &prune_force, NULL, "Do not ask"},
	{NULL},
};

static int prune(struct project_args *args, int argc, char **argv)
{
	struct error err = ERROR_INIT;
	struct prune_filter filter;
	uint64_t bytes = 0;

	if (prune_filter_parse(prune_words, "all", &filter, &err) < 0)
		return output_fail(args, &err);
	prune_all = prune_all || filter.all;
	if (!prune_force &&
	    !prune_confirmed("volume prune",
			     prune_all ? "This will remove all local volumes not used by at least "
					 "one container."
				       : "This will remove anonymous local volumes not used by at "
					 "least one container."))
		return 1;
	if (prune_volumes(&filter, prune_all, &bytes, &err) < 0)
		return output_fail(args, &err);
	prune_print_total(bytes);
	return 0;
}

static const struct command command_prune = {
	.name = "prune",
	.operands = "[OPTIONS]",
	.summary = "Remove volumes that no container uses",
	.options = prune_options,
	.run = prune,
};

static const struct command *const children[] = {
	&command_create, &command_inspect, &command_list, &command_prune, &command_remove, NULL,
};

const struct command command_volume = {
	.name = "volume",
	.operands = "COMMAND",
	.summary = "Volumes: make, look at, remove",
	.children = children,
};
