// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/command.h"
#include "compose/cli/refusal.h"

static int run(struct project_args *args, int argc, char **argv)
{
	struct converge converge = {
		.verb = "unpause",
		.options = {.goal = PLAN_UNPAUSE, .timeout_usec = -1},
	};

	return refusal_or_converge(args, argv, &converge);
}

const struct command command_unpause = {
	.name = "unpause",
	.operands = "[SERVICE...]",
	.summary = "Let frozen containers go on",
	.max_operands = -1,
	.run = run,
};
