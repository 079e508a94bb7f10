// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/command.h"
#include "compose/cli/registry/pull_run.h"
#include "compose/cli/registry/pull_services.h"
#include "compose/cli/view/output.h"

static bool ignore_buildable, ignore_failures, include_deps, quiet, ignored;
static const char *policy;

static const struct option options[] = {
	{"ignore-buildable", 0, OPTION_FLAG, &ignore_buildable, NULL,
	 "Leave out images that can be built"},
	{"ignore-pull-failures", 0, OPTION_FLAG, &ignore_failures, NULL,
	 "Pull what there is, and succeed"},
	{"include-deps", 0, OPTION_FLAG, &include_deps, NULL,
	 "Also the images of what the services depend on"},
	{"no-parallel", 0, OPTION_FLAG, &ignored, NULL, NULL},
	{"parallel", 0, OPTION_FLAG, &ignored, NULL, NULL},
	{"policy", 0, OPTION_STRING, &policy, "string",
	 "always (default), or missing: only what is not here"},
	{"quiet", 'q', OPTION_FLAG, &quiet, NULL, "No progress of layers"},
	{NULL},
};

static int check(struct error *err)
{
	if (policy && strcmp(policy, "missing") != 0 && strcmp(policy, "always") != 0)
		return error_set(err, EINVAL,
				 "--policy must be \"missing\" or \"always\", not \"%s\"", policy);
	return 0;
}

static int run(struct project_args *args, int argc, char **argv)
{
	const struct pull_services_options wanted = {
		.services = argv,
		.no_deps = !include_deps,
		.explicitly = true,
		.missing_only = policy && !strcmp(policy, "missing"),
		.ignore_buildable = ignore_buildable,
	};
	struct pull_services set = {0};
	struct project *project = NULL;
	struct error err = ERROR_INIT;
	int r;

	if (check(&err) < 0 || project_args_load(args, argv, &project, &err) < 0)
		return output_fail(args, &err);
	r = pull_services_select(project, &wanted, &set, &err);
	if (r == 0)
		r = pull_run(args, &set, "pull", quiet, ignore_failures);
	else
		r = output_fail(args, &err);
	pull_services_done(&set);
	project_free(project);
	return r;
}

const struct command command_pull = {
	.name = "pull",
	.operands = "[OPTIONS] [SERVICE...]",
	.summary = "Fetch the services' images from their registries",
	.options = options,
	.max_operands = -1,
	.run = run,
};
