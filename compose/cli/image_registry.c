// SPDX-License-Identifier: GPL-2.0-or-later
/* `berth image pull` and `berth image push`: as docker's, without a project. */
#include <stdio.h>
#include <stdlib.h>

#include "common/str.h"

#include "runtime/image/image.h"

#include "compose/cli/command.h"
#include "compose/cli/output.h"
#include "compose/cli/project_args.h"
#include "compose/cli/pull_run.h"
#include "compose/cli/push_run.h"

static bool pull_quiet, push_quiet;
static const char *pull_platform;

static const struct option pull_options[] = {
	{"platform", 0, OPTION_STRING, &pull_platform, "string", "os/architecture that is wanted"},
	{"quiet", 'q', OPTION_FLAG, &pull_quiet, NULL, "No progress of layers"},
	{NULL},
};

static const struct option push_options[] = {
	{"quiet", 'q', OPTION_FLAG, &push_quiet, NULL, "No progress of layers"},
	{NULL},
};

static int pull(struct project_args *args, int argc, char **argv)
{
	struct service service = {.image = argv[0]};
	struct pull_item item = {.service = &service,
				 .image = argv[0],
				 .platform = pull_platform,
				 .policy = PULL_ALWAYS};
	struct pull_services set = {.items = &item, .count = 1};
	_cleanup_free_ char *normalized = NULL;
	struct error err = ERROR_INIT;
	int r;

	if (reference_parse(argv[0], &normalized, &err) < 0)
		return output_fail(args, &err);
	r = pull_run(args, &set, "pull", pull_quiet, false);
	if (r == 0)
		puts(normalized);
	return r;
}

static int push(struct project_args *args, int argc, char **argv)
{
	const struct push_run_options options = {.quiet = push_quiet, .print_digests = true};

	return push_run(args, argv, &options);
}

const struct command command_image_pull = {
	.name = "pull",
	.operands = "[OPTIONS] NAME[:TAG|@DIGEST]",
	.summary = "Fetch an image from its registry",
	.options = pull_options,
	.min_operands = 1,
	.max_operands = 1,
	.run = pull,
};

const struct command command_image_push = {
	.name = "push",
	.operands = "[OPTIONS] NAME[:TAG]",
	.summary = "Send an image to its registry",
	.options = push_options,
	.min_operands = 1,
	.max_operands = 1,
	.run = push,
};
