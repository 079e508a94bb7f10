// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/args/project_args.h"
#include "compose/cli/command.h"
#include "compose/cli/up_options.h"

static const struct option options[] = {
	{"build", 0, OPTION_FLAG, &up_options.build, NULL, "Build images first"},
	{"force-recreate", 0, OPTION_FLAG, &up_options.force_recreate, NULL,
	 "Make containers anew though nothing changed"},
	{"no-build", 0, OPTION_FLAG, &up_options.no_build, NULL,
	 "Never build, whatever pull_policy says"},
	{"no-recreate", 0, OPTION_FLAG, &up_options.no_recreate, NULL,
	 "Keep containers that are there, though they differ"},
	{"ports", 0, OPTION_STRING, &up_options.ports, "string",
	 "auto: a published port that is taken gets a free one; fixed: as the file says"},
	{"pull", 0, OPTION_STRING, &up_options.pull, "string",
	 "When to pull: always, missing, never or build"},
	{"quiet-pull", 0, OPTION_FLAG, &up_options.quiet_pull, NULL, "No progress while pulling"},
	{"remove-orphans", 0, OPTION_FLAG, &up_options.remove_orphans, NULL,
	 "Also remove containers of services that left the file"},
	{"scale", 0, OPTION_LIST, &up_options.scales, "stringArray",
	 "SERVICE=NUM: so many containers, whatever the file says"},
	{"yes", 'y', OPTION_FLAG, &up_options.yes, NULL, "Answer yes to every question"},
	{NULL},
};

static int run(struct project_args *args, int argc, char **argv)
{
	struct converge converge = {.verb = "create"};
	struct project *project = NULL;
	int r = up_options_prepare(args, argv, false, &project, &converge);

	if (r == 0) {
		converge.options.no_start = true;
		r = converge_run(args, &converge);
	}
	up_options_done(&converge);
	project_free(project);
	return r;
}

const struct command command_create = {
	.name = "create",
	.operands = "[OPTIONS] [SERVICE...]",
	.summary = "Make the containers without starting them",
	.options = options,
	.max_operands = -1,
	.run = run,
};
