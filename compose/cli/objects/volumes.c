// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "volumes/volume.h"

#include "compose/cli/args/target.h"
#include "compose/cli/command.h"
#include "compose/cli/objects/volume_rows.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

DEFINE_CLEANUP(struct volume_store *, volume_store_close);

#define LABEL_PROJECT "com.docker.compose.project"
#define LABEL_VOLUME  "com.docker.compose.volume"

static bool quiet;
static const char *format;

static const struct option options[] = {
	{"format", 0, OPTION_STRING, &format, "string",
	 "table, json, or a template such as '{{.Name}}'"},
	{"quiet", 'q', OPTION_FLAG, &quiet, NULL, "Names only"},
	{NULL},
};

/* Whether one of the services mounts it. */
static bool is_used(const struct target *target, char *const *services, const char *key)
{
	if (!services || !services[0] || !target->project)
		return true;
	strv_foreach(name, services) {
		const struct service *service = project_service(target->project, name);

		for (size_t i = 0; service && i < service->volume_count; i++)
			if (service->volumes[i].type == MOUNT_VOLUME &&
			    str_equal(service->volumes[i].source, key))
				return true;
	}
	return false;
}

static json_t *list(const struct target *target, char *const *services, struct error *err)
{
	_cleanup_(cleanup_volume_store_close) struct volume_store *store = NULL;
	struct volume_info **infos = NULL;
	json_t *rows = json_array();
	size_t count = 0;

	if (volume_store_open(paths_root(), &store, err) < 0 ||
	    volume_list(store, &infos, &count, err) < 0)
		return rows;
	for (size_t i = 0; i < count; i++) {
		const char *key = json_get_string(infos[i]->labels, LABEL_VOLUME);

		if (str_equal(json_get_string(infos[i]->labels, LABEL_PROJECT), target->name) &&
		    is_used(target, services, key))
			json_array_append_new(rows, volume_row(infos[i]));
		volume_info_free(infos[i]);
	}
	free(infos);
	return rows;
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_target_ struct target target = {0};
	_cleanup_json_ json_t *rows = NULL;
	struct error err = ERROR_INIT;
	json_t *row;
	size_t i;

	if (target_open(args, argv, &target, &err) < 0)
		return output_fail(args, &err);
	rows = list(&target, argv, &err);
	if (err.code)
		return output_fail(args, &err);
	if (quiet) {
		json_array_foreach(rows, i, row) {
			puts(json_get_string(row, "Name"));
		}
		return 0;
	}
	return output_rows(rows, format, volume_columns, OUTPUT_LINES, &err) < 0
		       ? output_fail(args, &err)
		       : 0;
}

const struct command command_volumes = {
	.name = "volumes",
	.operands = "[OPTIONS] [SERVICE...]",
	.summary = "Show the project's volumes",
	.options = options,
	.max_operands = -1,
	.run = run,
};
