// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>

#include "common/json.h"
#include "common/process.h"

#include "compose/cli/args/target.h"
#include "compose/cli/command.h"
#include "compose/cli/view/output.h"

static const char *signal_name = "SIGKILL";
static bool remove_orphans;

static const struct option options[] = {
	{"remove-orphans", 0, OPTION_FLAG, &remove_orphans, NULL,
	 "Also kill containers of services that left the file"},
	{"signal", 's', OPTION_STRING, &signal_name, "string", "The signal (default SIGKILL)"},
	{NULL},
};

static int run(struct project_args *args, int argc, char **argv)
{
	struct converge converge = {
		.verb = "kill",
		.options = {.goal = PLAN_KILL, .timeout_usec = -1},
	};
	_cleanup_target_ struct target target = {0};
	_cleanup_json_ json_t *running = NULL;
	struct error err = ERROR_INIT;

	converge.options.signal = process_signal_from_name(signal_name);
	if (converge.options.signal < 0) {
		error_set(&err, EINVAL, "invalid signal: %s", signal_name);
		return output_fail(args, &err);
	}
	converge.options.remove_orphans = remove_orphans;
	if (target_open(args, argv, &target, &err) < 0 ||
	    target_containers(&target, false, argv, &running, &err) < 0)
		return output_fail(args, &err);
	if (json_array_size(running) == 0) {
		fputs("no container to kill\n", stderr);
		return 0;
	}
	return target_converge_with(args, &target, argv, &converge);
}

const struct command command_kill = {
	.name = "kill",
	.operands = "[OPTIONS] [SERVICE...]",
	.summary = "Send a signal, at once",
	.options = options,
	.max_operands = -1,
	.run = run,
};
