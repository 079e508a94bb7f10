// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>

#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/target.h"
#include "compose/cli/command.h"
#include "compose/cli/view/output.h"

static bool down_project;

static const struct option options[] = {
	{"down-project", 0, OPTION_FLAG, &down_project, NULL,
	 "Take the project down when the first one has ended"},
	{NULL},
};

/* docker prints the id; a container that came after we looked is called by its name. */
static const char *id_of(const json_t *containers, const char *name)
{
	json_t *container;
	size_t i;

	json_array_foreach(containers, i, container) {
		if (str_equal(json_get_string(container, "name"), name))
			return json_get_string(container, "id") ?: name;
	}
	return name;
}

/* False: that is enough. */
static bool tell_end(void *data, const json_t *event)
{
	const json_t *containers = data;

	printf("container \"%s\" exited with status code %d\n",
	       id_of(containers, json_get_string(event, "container") ?: ""),
	       (int)json_get_int(event, "exit_code", 0));
	fflush(stdout);
	return !down_project;
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_target_ struct target target = {0};
	_cleanup_json_ json_t *containers = NULL;
	struct error err = ERROR_INIT;
	int code = 0;

	if (target_open(args, argv, &target, &err) < 0 ||
	    target_containers(&target, true, argv, &containers, &err) < 0)
		return output_fail(args, &err);
	if (json_array_size(containers) == 0) {
		error_set(&err, ENOENT, "no containers for project \"%s\"", target.name);
		return output_fail(args, &err);
	}
	converge_exit_on_signals();
	if (target_wait(&target, argv, tell_end, containers, &code, &err) < 0)
		return output_fail(args, &err);
	if (down_project) {
		struct converge converge = {
			.name = target.name,
			.project = target.project,
			.verb = "down",
			.options = {.goal = PLAN_DOWN,
				    .by_label = !target.project,
				    .timeout_usec = -1},
		};
		int r = converge_run(args, &converge);

		return r ? r : code;
	}
	return code;
}

const struct command command_wait = {
	.name = "wait",
	.operands = "SERVICE [SERVICE...] [OPTIONS]",
	.summary = "Wait until services end, and tell how",
	.options = options,
	.min_operands = 1,
	.max_operands = -1,
	.run = run,
};
