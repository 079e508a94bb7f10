/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compose/cli/command.h"
#include "compose/cli/project_args.h"
#include "compose/cli/up_options.h"

static const struct option options[] = {
	{"build",								     0, OPTION_FLAG, &up_options.build, NULL,
	 "Build images before starting containers"},
	{"force-recreate",								0, OPTION_FLAG, &up_options.force_recreate, NULL,
	 "Recreate containers even if their configuration and image haven't changed"},
	{"no-build",								       0, OPTION_FLAG, &up_options.no_build, NULL,
	 "Don't build an image, even if it's policy"},
	{"no-recreate",									   0, OPTION_FLAG, &up_options.no_recreate, NULL,
	 "If containers already exist, don't recreate them"},
	{"pull",           0, OPTION_STRING, &up_options.pull, "string",
	 "Pull image before running (\"always\"|\"missing\"|\"never\"|\"build\")"},
	{"quiet-pull",						 0, OPTION_FLAG, &up_options.quiet_pull, NULL,
	 "Pull without printing progress information"},
	{"remove-orphans", 0, OPTION_FLAG, &up_options.remove_orphans, NULL,
	 "Remove containers for services not defined in the Compose file"},
	{"scale",								  0, OPTION_LIST, &up_options.scales, "stringArray",
	 "Scale SERVICE to NUM instances. Overrides the scale setting in the Compose file"},
	{"yes",								'y', OPTION_FLAG, &up_options.yes, NULL, "Assume \"yes\" as answer to all prompts"},
	{NULL								      },
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
	.summary = "Creates containers for a service",
	.options = options,
	.max_operands = -1,
	.run = run,
};
