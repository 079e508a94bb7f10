// SPDX-License-Identifier: GPL-2.0-or-later
/* `berth supervisor`: the processes behind the projects, and giving them a new program. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "netmgr/network.h"

#include "compose/cli/client.h"
#include "compose/cli/command.h"
#include "compose/cli/converge.h"
#include "compose/cli/keeper_start.h"
#include "compose/cli/projects.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

DEFINE_CLEANUP(struct network_store *, network_store_close);

/* The projects named in @words, each of which must have a supervisor; without words all that do. */
static int supervised(char **words, char ***ret, struct error *err)
{
	_cleanup_strv_ char **all = NULL, **chosen = NULL;

	strv_foreach(word, words) {
		if (!keeper_runs(word))
			return error_set(err, ENOENT,
					 "project %s has no supervisor; see `berth supervisor ls`",
					 word);
		strv_append(&chosen, word);
	}
	if (!words || !words[0]) {
		if (projects_list(&all, err) < 0)
			return -err->code;
		strv_foreach(name, all)
			if (keeper_runs(name))
				strv_append(&chosen, name);
	}
	*ret = TAKE_PTR(chosen);
	return 0;
}

static int fail_project(const struct project_args *args, const char *name,
			const struct error *failed)
{
	struct error err = ERROR_INIT;

	error_set(&err, failed->code, "project %s: %s", name, failed->message);
	return output_fail(args, &err);
}

/* supervisor ls */

static const char *ls_format;
static bool ls_quiet;

static const struct option ls_options[] = {
	{"format", 0, OPTION_STRING, &ls_format, "string",
	 "table (default), json, or a template such as '{{.Pid}}'"},
	{"quiet", 'q', OPTION_FLAG, &ls_quiet, NULL, "Names only"},
	{NULL},
};

static const char *const ls_columns[] = {
	"NAME",       "Name", "VERSION", "Version",   "PROGRAM", "Program",
	"SUPERVISOR", "Pid",  "KEEPER",  "KeeperPid", NULL,
};

static json_t *ls_row(const char *name, struct error *err)
{
	_cleanup_json_ json_t *reply = NULL;

	if (client_call(name, CLIENT_START_FOR_STATE, REQUEST_PING, NULL, &reply, err) < 0)
		return NULL;
	return json_pack("{s:s, s:s, s:s, s:I, s:I}", "Name", name, "Version",
			 json_get_string(reply, "version") ?: "", "Program",
			 json_get_bool(reply, "outdated", false) ? "replaced" : "current", "Pid",
			 json_get_int(reply, "pid", 0), "KeeperPid",
			 json_get_int(reply, "keeper_pid", 0));
}

static int ls(struct project_args *args, int argc, char **argv)
{
	_cleanup_strv_ char **names = NULL;
	_cleanup_json_ json_t *rows = json_array();
	struct error err = ERROR_INIT;

	if (supervised(NULL, &names, &err) < 0)
		return output_fail(args, &err);
	strv_foreach(name, names) {
		struct error failed = ERROR_INIT;
		json_t *row = NULL;

		if (ls_quiet)
			puts(name);
		else if (!(row = ls_row(name, &failed)))
			output_warn("project %s: %s", name, failed.message);
		else
			json_array_append_new(rows, row);
	}
	if (!ls_quiet && output_rows(rows, ls_format, ls_columns, OUTPUT_ARRAY, &err) < 0)
		return output_fail(args, &err);
	return 0;
}

static const struct command command_ls = {
	.name = "ls",
	.aliases = "list",
	.operands = "[OPTIONS]",
	.summary = "List the supervisors that run, with their programs' versions, and whether "
		   "those were replaced",
	.options = ls_options,
	.run = ls,
};

/* supervisor reexec */

static int reexec_one(const char *name, struct error *err)
{
	_cleanup_json_ json_t *reply = NULL;

	if (client_call(name, CLIENT_START_FOR_STATE, REQUEST_REEXEC, NULL, NULL, err) < 0)
		return -err->code;
	/* The new one answers when it has found everything again. */
	if (client_call(name, CLIENT_START_FOR_STATE, REQUEST_PING, NULL, &reply, err) < 0)
		return -err->code;
	printf("%s %s\n", name, json_get_string(reply, "version") ?: "");
	return 0;
}

static int reexec(struct project_args *args, int argc, char **argv)
{
	_cleanup_strv_ char **names = NULL;
	struct error err = ERROR_INIT;
	int exit_code = 0;

	if (supervised(argv, &names, &err) < 0)
		return output_fail(args, &err);
	strv_foreach(name, names) {
		struct error failed = ERROR_INIT;

		if (reexec_one(name, &failed) < 0)
			exit_code = fail_project(args, name, &failed);
	}
	return exit_code;
}

static const struct command command_reexec = {
	.name = "reexec",
	.operands = "[PROJECT...]",
	.summary = "Let supervisors run the program that is installed now; no container stops",
	.max_operands = -1,
	.run = reexec,
};

/* supervisor stop */

static bool stop_containers;

static const struct option stop_options[] = {
	{"containers", 'c', OPTION_FLAG, &stop_containers, NULL,
	 "Stop what runs first (else it is an error); without PROJECT bridges and firewall "
	 "rules go, too"},
	{NULL},
};

static int stop_one(struct project_args *args, const char *name, struct error *err)
{
	struct converge converge = {
		.name = name,
		.verb = "stop",
		.options = {.goal = PLAN_STOP, .by_label = true, .timeout_usec = -1},
	};

	if (stop_containers && converge_run(args, &converge) != 0)
		return error_set(err, EBUSY, "its containers could not be stopped");
	return client_call(name, CLIENT_START_FOR_STATE, REQUEST_SHUTDOWN, NULL, NULL, err);
}

#define LINKS_GONE_TRIES 40
#define LINKS_GONE_MSEC  50

/* With nobody left to need them, bridges and rules go as well; what starts again makes them. */
static int put_networks_away(struct error *err)
{
	_cleanup_(cleanup_network_store_close) struct network_store *store = NULL;
	struct network_info **infos = NULL;
	struct error failed = ERROR_INIT;
	size_t count = 0;

	if (network_store_open(paths_root(), &store, err) < 0 ||
	    network_list(store, &infos, &count, err) < 0)
		return -err->code;
	for (size_t i = 0; i < count; i++) {
		const char *name = infos[i]->name;

		/* The kernel takes the links of those that ended away when it has time. */
		for (int tries = 0; tries < LINKS_GONE_TRIES; tries++) {
			error_clear(&failed);
			network_put_away_many(store, &name, 1, &failed);
			if (failed.code != EBUSY)
				break;
			(void)poll(NULL, 0, LINKS_GONE_MSEC);
		}
		if (failed.code && failed.code != EBUSY && failed.code != ENOENT)
			output_warn("%s", failed.message);
		network_info_free(infos[i]);
	}
	free(infos);
	return 0;
}

static int stop(struct project_args *args, int argc, char **argv)
{
	_cleanup_strv_ char **names = NULL;
	struct error err = ERROR_INIT;
	int exit_code = 0;

	if (supervised(argv, &names, &err) < 0)
		return output_fail(args, &err);
	strv_foreach(name, names) {
		struct error failed = ERROR_INIT;

		if (stop_one(args, name, &failed) < 0)
			exit_code = fail_project(args, name, &failed);
	}
	if (exit_code == 0 && stop_containers && argc == 0 && put_networks_away(&err) < 0)
		return output_fail(args, &err);
	return exit_code;
}

static const struct command command_supervisor_stop = {
	.name = "stop",
	.operands = "[OPTIONS] [PROJECT...]",
	.summary = "End supervisors; the next command for their projects starts them again",
	.options = stop_options,
	.max_operands = -1,
	.run = stop,
};

static const struct command *const children[] = {
	&command_ls,
	&command_reexec,
	&command_supervisor_stop,
	NULL,
};

const struct command command_supervisor = {
	.name = "supervisor",
	.operands = "COMMAND",
	.summary = "Look after the processes behind the projects",
	.children = children,
};
