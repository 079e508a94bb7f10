// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/command.h"
#include "compose/cli/refusal.h"

static int run(struct project_args *args, int argc, char **argv)
{
	struct converge converge = {
		.verb = "pause",
		.options = {.goal = PLAN_PAUSE, .timeout_usec = -1},
	};

	return refusal_or_converge(args, argv, &converge);
}

const struct command command_pause = {
	.name = "pause",
	.operands = "[SERVICE...]",
	.summary = "Freeze containers where they are",
	.max_operands = -1,
	.run = run,
};
