// SPDX-License-Identifier: GPL-2.0-or-later
/* `berth job`: services that run by the calendar (x-berth.schedule). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/args/target.h"
#include "compose/cli/command.h"
#include "compose/cli/ps_rows.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

static bool is_job(const json_t *container)
{
	const char *schedule = json_get_string(container, "schedule");

	return schedule && *schedule && !json_get_bool(container, "oneoff", false);
}

/* job ls */

static const char *ls_format;
static bool ls_quiet;

static const struct option ls_options[] = {
	{"format", 0, OPTION_STRING, &ls_format, "string",
	 "table (default), json, or a template such as '{{.Next}}'"},
	{"quiet", 'q', OPTION_FLAG, &ls_quiet, NULL, "Names of services only"},
	{NULL},
};

static const char *const ls_columns[] = {
	"NAME", "Name", "SERVICE", "Service", "SCHEDULE", "Schedule", "NEXT",
	"Next", "LAST", "Last",    "STATUS",  "Status",   NULL,
};

static void put_time(json_t *row, const char *key, int64_t nsec)
{
	char text[64];

	json_put_string(row, key, nsec ? units_format_time(nsec, text, sizeof(text)) : "");
}

static json_t *ls_row(const json_t *container, int64_t now_nsec)
{
	_cleanup_free_ char *status = ps_status(container, now_nsec);
	json_t *row = json_object();

	json_put_string(row, "Name", json_get_string(container, "name"));
	json_put_string(row, "Service", json_get_string(container, "service"));
	json_put_string(row, "Schedule", json_get_string(container, "schedule"));
	put_time(row, "Next", json_get_int(container, "next", 0));
	put_time(row, "Last", json_get_int(container, "started", 0));
	json_put_string(row, "Status", status);
	json_put_int(row, "ExitCode", json_get_int(container, "exit_code", 0));
	return row;
}

static int ls(struct project_args *args, int argc, char **argv)
{
	_cleanup_json_ json_t *containers = NULL, *rows = json_array();
	_cleanup_target_ struct target target = {0};
	struct error err = ERROR_INIT;
	json_t *container;
	size_t i;

	if (target_open(args, NULL, &target, &err) < 0 ||
	    target_containers(&target, true, NULL, &containers, &err) < 0)
		return output_fail(args, &err);
	json_array_foreach(containers, i, container) {
		if (!is_job(container))
			continue;
		if (ls_quiet)
			puts(json_get_string(container, "service"));
		else
			json_array_append_new(rows, ls_row(container, units_now_nsec()));
	}
	if (!ls_quiet && output_rows(rows, ls_format, ls_columns, OUTPUT_ARRAY, &err) < 0)
		return output_fail(args, &err);
	return 0;
}

static const struct command command_ls = {
	.name = "ls",
	.aliases = "list",
	.operands = "[OPTIONS]",
	.summary = "List jobs, with their next and their last run",
	.options = ls_options,
	.run = ls,
};

/* job run */

static bool run_detached, run_scheduled;

static const struct option run_options[] = {
	{"detach", 'd', OPTION_FLAG, &run_detached, NULL, "Do not wait for its end"},
	{"scheduled", 0, OPTION_FLAG, &run_scheduled, NULL,
	 "As its schedule would: not while it is stopped, and with regard to `overlap`"},
	{NULL},
};

static int find_job(const struct target *target, const char *service, struct error *err)
{
	_cleanup_json_ json_t *containers = NULL;
	char *services[] = {(char *)service, NULL};
	bool known = false;
	json_t *container;
	size_t i;

	if (target_containers(target, true, services, &containers, err) < 0)
		return -err->code;
	json_array_foreach(containers, i, container) {
		if (is_job(container))
			return 0;
		known = true;
	}
	if (known)
		return error_set(err, EINVAL,
				 "service \"%s\" has no schedule in x-berth: `berth run` or "
				 "`berth start` runs it",
				 service);
	return error_set(err, ENOENT, "service \"%s\" has no container: bring it up first",
			 service);
}

/* What a timer of systemd's calls. */
static int run_due(struct project_args *args, const struct target *target, char **argv)
{
	_cleanup_json_ json_t *arguments = json_object(), *reply = NULL;
	struct error err = ERROR_INIT;
	int exit_code = 0;

	json_put_string(arguments, "service", argv[0]);
	if (client_call(target->name, CLIENT_START_FOR_STATE, REQUEST_JOB, arguments, &reply,
			&err) < 0)
		return output_fail(args, &err);
	if (!json_get_int(reply, "begun", 0) || run_detached)
		return 0;
	if (target_wait(target, argv, NULL, NULL, &exit_code, &err) < 0)
		return output_fail(args, &err);
	return exit_code;
}

static int run(struct project_args *args, int argc, char **argv)
{
	struct converge converge = {
		.verb = "start",
		.options = {.goal = PLAN_START, .timeout_usec = -1},
	};
	_cleanup_target_ struct target target = {0};
	struct error err = ERROR_INIT;
	int exit_code;

	if (target_open(args, argv, &target, &err) < 0 || find_job(&target, argv[0], &err) < 0)
		return output_fail(args, &err);
	if (run_scheduled)
		return run_due(args, &target, argv);
	exit_code = target_converge(args, argv, &converge);
	if (exit_code == 0 && !run_detached &&
	    target_wait(&target, argv, NULL, NULL, &exit_code, &err) < 0)
		return output_fail(args, &err);
	return exit_code;
}

static const struct command command_job_run = {
	.name = "run",
	.operands = "[OPTIONS] SERVICE",
	.summary = "Run a job now, whatever its schedule says; the exit code is its own",
	.options = run_options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
};

static const struct command *const children[] = {&command_ls, &command_job_run, NULL};

const struct command command_job = {
	.name = "job",
	.operands = "COMMAND",
	.summary = "Look after services that run by the calendar",
	.children = children,
};
