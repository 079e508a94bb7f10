// SPDX-License-Identifier: GPL-2.0-or-later

/* `container prune`: what does not run and is wanted no more. */

#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/args/target.h"
#include "compose/cli/command.h"
#include "compose/cli/machine.h"
#include "compose/cli/system/prune.h"
#include "compose/cli/view/output.h"
#include "compose/cli/view/tree_size.h"
#include "compose/control/requests.h"

static bool force;
static char **words;

static const struct option options[] = {
	{"filter", 0, OPTION_LIST, &words, "filter",
	 "until=24h, label=KEY[=VALUE], label!=KEY[=VALUE]"},
	{"force", 'f', OPTION_FLAG, &force, NULL, "Do not ask"},
	{NULL},
};

uint64_t prune_container_bytes(const json_t *container)
{
	_cleanup_free_ char *state =
		paths_project_state(json_get_string(container, "project") ?: "");
	_cleanup_free_ char *path =
		str_printf("%s/containers/%s/upper", state, json_get_string(container, "id") ?: "");

	return tree_size(path);
}

int prune_containers(struct project_args *args, const struct prune_filter *filter, uint64_t *bytes,
		     struct error *err)
{
	const struct plan_options remove = {.goal = PLAN_REMOVE, .timeout_usec = -1};
	_cleanup_json_ json_t *containers = NULL;
	bool heading = false;
	json_t *container;
	size_t i;

	if (machine_containers(true, &containers, err) < 0)
		return -err->code;
	if (!args->dry_run)
		args->progress = "quiet";
	json_array_foreach(containers, i, container) {
		uint64_t size;

		if (container_is_running(container) ||
		    !prune_filter_matches(filter, json_object_get(container, "labels"),
					  json_get_int(container, "created", 0)))
			continue;
		size = prune_container_bytes(container);
		/* It was started meanwhile, or its project is busy: told, and left alone. */
		if (machine_converge_one(args, container, &remove) != 0 || args->dry_run)
			continue;
		printf("%s%s\n", heading ? "" : "Deleted Containers:\n",
		       json_get_string(container, "id"));
		heading = true;
		*bytes += size;
	}
	if (heading)
		putchar('\n');
	return 0;
}

static int run(struct project_args *args, int argc, char **argv)
{
	struct error err = ERROR_INIT;
	struct prune_filter filter;
	uint64_t bytes = 0;

	if (prune_filter_parse(words, NULL, &filter, &err) < 0)
		return output_fail(args, &err);
	if (!force && !args->dry_run &&
	    !prune_confirmed("container prune", "This will remove all stopped containers."))
		return 1;
	if (prune_containers(args, &filter, &bytes, &err) < 0)
		return output_fail(args, &err);
	if (!args->dry_run)
		prune_print_total(bytes);
	return 0;
}

const struct command command_container_prune = {
	.name = "prune",
	.operands = "[OPTIONS]",
	.summary = "Remove all containers that do not run",
	.options = options,
	.run = run,
};
