// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/args/target.h"
#include "compose/cli/command.h"
#include "compose/cli/companions.h"
#include "compose/cli/view/output.h"

static int timeout;
static bool timeout_given;

static const struct option options[] = {
	{"timeout", 't', OPTION_INT, &timeout, "int",
	 "Seconds until what does not stop is killed (default: stop_grace_period)", &timeout_given},
	{NULL},
};

static int run(struct project_args *args, int argc, char **argv)
{
	struct converge converge = {
		.verb = "stop",
		.options = {.goal = PLAN_STOP, .timeout_usec = -1},
	};
	_cleanup_target_ struct target target = {0};
	struct error err = ERROR_INIT;
	int r;

	if (target_open(args, argv, &target, &err) < 0)
		return output_fail(args, &err);
	converge.options.timeout_usec = converge_timeout_usec(timeout_given, timeout);
	r = target_converge_with(args, &target, argv, &converge);
	if (r == 0 && target.project && !args->dry_run &&
	    companions_stop(target.project, argv, &err) < 0)
		return output_fail(args, &err);
	return r;
}

const struct command command_stop = {
	.name = "stop",
	.operands = "[OPTIONS] [SERVICE...]",
	.summary = "Stop containers and keep them",
	.options = options,
	.max_operands = -1,
	.run = run,
};
