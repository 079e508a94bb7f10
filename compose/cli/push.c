// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "common/map.h"
#include "common/str.h"

#include "compose/cli/command.h"
#include "compose/cli/images_here.h"
#include "compose/cli/output.h"
#include "compose/cli/project_args.h"
#include "compose/cli/push_run.h"

static bool ignore_failures, include_deps, quiet;

static const struct option options[] = {
	{"ignore-push-failures", 0, OPTION_FLAG, &ignore_failures, NULL,
	 "Push what can be pushed, and succeed"},
	{"include-deps", 0, OPTION_FLAG, &include_deps, NULL,
	 "Also the images of what the services depend on"},
	{"quiet", 'q', OPTION_FLAG, &quiet, NULL, "No progress of layers"},
	{NULL},
};

static void add(char ***names, const char *name)
{
	if (!strv_contains(*names, name))
		strv_append(names, name);
}

/* As compose has it: what is built here, under all its tags; the rest is somebody else's. */
static void gather(const struct project *project, char *const *services, char ***names,
		   char ***skipped)
{
	struct map selected = {0};

	images_here_select(project, services, !include_deps, &selected);
	map_foreach(entry, &selected) {
		const struct service *service = entry->value;

		if (!service->build.given || !service->image || !*service->image) {
			add(skipped, service->name);
			continue;
		}
		add(names, service->image);
		strv_foreach(tag, service->build.tags)
			add(names, tag);
	}
	map_done(&selected, NULL);
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_strv_ char **names = NULL, **skipped = NULL;
	struct project *project = NULL;
	struct error err = ERROR_INIT;
	int r;

	if (project_args_load(args, argv, &project, &err) < 0)
		return output_fail(args, &err);
	gather(project, argv, &names, &skipped);
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
