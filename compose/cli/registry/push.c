// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/command.h"
#include "compose/cli/registry/push_run.h"
#include "compose/cli/view/output.h"

static bool ignore_failures, include_deps, quiet;

static const struct option options[] = {
	{"ignore-push-failures", 0, OPTION_FLAG, &ignore_failures, NULL,
	 "Push what can be pushed, and succeed"},
	{"include-deps", 0, OPTION_FLAG, &include_deps, NULL,
	 "Also the images of what the services depend on"},
	{"quiet", 'q', OPTION_FLAG, &quiet, NULL, "No progress of layers"},
	{NULL},
};

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_strv_ char **names = NULL, **skipped = NULL;
	struct project *project = NULL;
	struct error err = ERROR_INIT;
	int r;

	if (project_args_load(args, argv, &project, &err) < 0)
		return output_fail(args, &err);
	push_run_gather(project, argv, include_deps, &names, &skipped);
	if (args->dry_run) {
		strv_foreach(name, names)
			printf("push image %s\n", name);
		r = 0;
	} else {
		const struct push_run_options wanted = {
			.quiet = quiet, .ignore_failures = ignore_failures, .skipped = skipped};

		r = push_run(args, names, &wanted);
	}
	project_free(project);
	return r;
}

const struct command command_push = {
	.name = "push",
	.operands = "[OPTIONS] [SERVICE...]",
	.summary = "Send the services' own images to their registries",
	.options = options,
	.max_operands = -1,
	.run = run,
};
