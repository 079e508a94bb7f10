// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/units.h"

#include "compose/cli/args/target.h"
#include "compose/cli/command.h"
#include "compose/cli/view/output.h"

static bool wait;
static int wait_timeout;

static const struct option options[] = {
	{"wait", 0, OPTION_FLAG, &wait, NULL,
	 "Return once they run, or are healthy where they have a check"},
	{"wait-timeout", 0, OPTION_INT, &wait_timeout, "int",
	 "Give up waiting after so many seconds"},
	{NULL},
};

/* The first service that should start and has no container to do it with. */
static int complain(struct project_args *args, char **services)
{
	_cleanup_target_ struct target target = {0};
	struct error err = ERROR_INIT;
	const char *service = services[0];

	if (target_open(args, services, &target, &err) < 0)
		return output_fail(args, &err);
	if (!service && target.project && target.project->service_count)
		service = target.project->services[0].name;
	if (!service)
		return 0;
	error_set(&err, ENOENT, "service \"%s\" has no container to start", service);
	return output_fail(args, &err);
}

static int run(struct project_args *args, int argc, char **argv)
{
	struct converge converge = {
		.verb = "start",
		.options = {.goal = PLAN_START, .timeout_usec = -1},
	};
	int r;

	converge.options.wait = wait;
	converge.wait_timeout_usec = (int64_t)wait_timeout * (int64_t)USEC_PER_SEC;
	r = target_converge(args, argv, &converge);
	return converge.nothing ? complain(args, argv) : r;
}

const struct command command_start = {
	.name = "start",
	.operands = "[OPTIONS] [SERVICE...]",
	.summary = "Start containers that are there",
	.options = options,
	.max_operands = -1,
	.run = run,
};
