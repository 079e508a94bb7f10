// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/args/target.h"
#include "compose/cli/command.h"

static int timeout;
static bool timeout_given;

static bool no_deps;

static const struct option options[] = {
	{"no-deps", 0, OPTION_FLAG, &no_deps, NULL, "Leave those alone that depend on it"},
	{"timeout", 't', OPTION_INT, &timeout, "int",
	 "Seconds until what does not stop is killed (default: stop_grace_period)", &timeout_given},
	{NULL},
};

static int run(struct project_args *args, int argc, char **argv)
{
	struct converge converge = {
		.verb = "restart",
		.options = {.goal = PLAN_RESTART, .timeout_usec = -1},
	};

	converge.options.timeout_usec = converge_timeout_usec(timeout_given, timeout);
	converge.options.no_deps = no_deps;
	return target_converge(args, argv, &converge);
}

const struct command command_restart = {
	.name = "restart",
	.operands = "[OPTIONS] [SERVICE...]",
	.summary = "Stop and start services",
	.options = options,
	.max_operands = -1,
	.run = run,
};
