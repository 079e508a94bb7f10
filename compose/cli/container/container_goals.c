// SPDX-License-Identifier: GPL-2.0-or-later

/* What is asked of single containers by name: start, stop, restart, kill, rm, pause, unpause, wait.
 */

#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/process.h"
#include "common/str.h"

#include "compose/cli/args/target.h"
#include "compose/cli/command.h"
#include "compose/cli/container/container_start.h"
#include "compose/cli/machine.h"
#include "compose/cli/refusal.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

static bool force, volumes, remove_link, timeout_given;
static int timeout;
static const char *signal_name;

static const struct option stop_options[] = {
	{"signal", 's', OPTION_STRING, &signal_name, "string",
	 "The signal that asks (default: the container's own)"},
	{"time", 0, OPTION_INT, &timeout, "int", NULL, &timeout_given},
	{"timeout", 't', OPTION_INT, &timeout, "int", "Seconds that it has then; -1: no limit",
	 &timeout_given},
	{NULL},
};

static const struct option kill_options[] = {
	{"signal", 's', OPTION_STRING, &signal_name, "string", "The signal (default SIGKILL)"},
	{NULL},
};

static const struct option rm_options[] = {
	{"force", 'f', OPTION_FLAG, &force, NULL, "Also if it runs: it is killed"},
	{"link", 'l', OPTION_FLAG, &remove_link, NULL, NULL},
	{"volumes", 'v', OPTION_FLAG, &volumes, NULL, "Its anonymous volumes, too"},
	{NULL},
};

static bool attach, interactive;
static const char *detach_keys;

static const struct option start_options[] = {
	{"attach", 'a', OPTION_FLAG, &attach, NULL,
	 "Stay with it: show what it writes, pass signals on; the exit code is its own"},
	{"detach-keys", 0, OPTION_STRING, &detach_keys, "string",
	 "Keys that leave it running (default ctrl-p,ctrl-q)"},
	{"interactive", 'i', OPTION_FLAG, &interactive, NULL, "The same, and give it our input"},
	{NULL},
};

static int read_signal(int *ret, struct error *err)
{
	*ret = signal_name ? process_signal_from_name(signal_name) : 0;
	return *ret < 0 ? error_set(err, EINVAL, "invalid signal: %s", signal_name) : 0;
}

static int converge(struct project_args *args, char **argv, enum plan_goal goal)
{
	struct plan_options options = {
		.goal = goal, .timeout_usec = converge_timeout_usec(timeout_given, timeout)};
	struct error err = ERROR_INIT;

	if (read_signal(&options.signal, &err) < 0)
		return output_fail(args, &err);
	return machine_converge(args, argv, &options);
}

static int run_stop(struct project_args *args, int argc, char **argv)
{
	return converge(args, argv, PLAN_STOP);
}

static int run_restart(struct project_args *args, int argc, char **argv)
{
	return converge(args, argv, PLAN_RESTART);
}

/* Each for itself: one that is refused keeps the others from nothing. */
static int converge_each(struct project_args *args, char **argv, enum plan_goal goal)
{
	int exit_code = 0;

	strv_foreach(name, argv) {
		_cleanup_json_ json_t *container = NULL;
		char *one[] = {name, NULL};
		struct error err = ERROR_INIT;

		if (machine_find(name, &container, &err) < 0 ||
		    refusal_of(goal, name, container, &err))
			exit_code = output_fail(args, &err);
		else if (converge(args, one, goal) != 0)
			exit_code = 1;
	}
	return exit_code;
}

static int run_pause(struct project_args *args, int argc, char **argv)
{
	return converge_each(args, argv, PLAN_PAUSE);
}

static int run_unpause(struct project_args *args, int argc, char **argv)
{
	return converge_each(args, argv, PLAN_UNPAUSE);
}

static int run_kill(struct project_args *args, int argc, char **argv)
{
	if (!signal_name)
		signal_name = "SIGKILL";
	return converge_each(args, argv, PLAN_KILL);
}

static int run_start(struct project_args *args, int argc, char **argv)
{
	const struct start_attached how = {detach_keys, interactive};
	_cleanup_json_ json_t *container = NULL;
	struct error err = ERROR_INIT;

	if (!attach && !interactive)
		return converge(args, argv, PLAN_START);
	if (argc > 1)
		error_set(&err, EINVAL, "you cannot start and attach multiple containers at once");
	if (err.code || machine_find(argv[0], &container, &err) < 0)
		return output_fail(args, &err);
	return container_start_attached(args, container, &how);
}

/* A running container is refused by name, not passed over. */
static int run_rm(struct project_args *args, int argc, char **argv)
{
	struct plan_options options = {.goal = PLAN_REMOVE,
				       .volumes = volumes,
				       .force_stop = force,
				       .timeout_usec = force ? 0 : -1};
	struct error err = ERROR_INIT;
	int exit_code = 0;

	if (remove_link) {
		error_set(&err, EINVAL,
			  "--link is not supported: a link is a line in a container's /etc/hosts, "
			  "and goes with it");
		return output_fail(args, &err);
	}
	strv_foreach(name, argv) {
		_cleanup_json_ json_t *container = NULL;
		char *one[] = {name, NULL};

		error_clear(&err);

		if (machine_find(name, &container, &err) < 0) {
			/* As docker: with -f, what is not there is as it should be. */
			output_fail(args, &err);
			exit_code = force ? exit_code : 1;
			continue;
		}
		if (!force && container_is_running(container)) {
			error_set(&err, EBUSY,
				  "cannot remove container \"%s\": container is %s: stop the "
				  "container before removing or force remove",
				  name, json_get_string(container, "state"));
			exit_code = output_fail(args, &err);
			continue;
		}
		if (machine_converge(args, one, &options) != 0)
			exit_code = 1;
	}
	return exit_code;
}

static int wait_for(const json_t *container, struct error *err)
{
	const char *ids[] = {json_get_string(container, "id"), NULL};
	_cleanup_json_ json_t *arguments = json_object(), *event = NULL;
	struct client *client = NULL;
	int r;

	json_object_set_new(arguments, "containers", json_from_strv((char *const *)ids));
	r = client_request(json_get_string(container, "project"), CLIENT_START_FOR_STATE,
			   REQUEST_WAIT, arguments, NULL, 0, &client, err);
	if (r >= 0)
		r = client_next(client, &event, NULL, NULL, err);
	client_free(client);
	if (r < 0)
		return r;
	printf("%d\n", (int)json_get_int(event, "exit_code", 0));
	fflush(stdout);
	return 0;
}

static int run_wait(struct project_args *args, int argc, char **argv)
{
	int exit_code = 0;

	converge_exit_on_signals();
	strv_foreach(name, argv) {
		_cleanup_json_ json_t *container = NULL;
		struct error err = ERROR_INIT;

		if (machine_find(name, &container, &err) < 0 || wait_for(container, &err) < 0)
			exit_code = output_fail(args, &err);
	}
	return exit_code;
}

#define COMMAND(word, text, flags)                                \
	const struct command command_container_##word = {         \
		.name = #word,                                    \
		.operands = "[OPTIONS] CONTAINER [CONTAINER...]", \
		.summary = text,                                  \
		.options = flags,                                 \
		.min_operands = 1,                                \
		.max_operands = -1,                               \
		.run = run_##word,                                \
	}

COMMAND(kill, "Send a signal to containers, at once", kill_options);
COMMAND(pause, "Freeze containers", NULL);
COMMAND(restart, "Stop containers and start them again", stop_options);
COMMAND(rm, "Remove containers", rm_options);
COMMAND(start, "Start containers that were stopped", start_options);
COMMAND(stop, "Stop containers", stop_options);
COMMAND(unpause, "Let frozen containers go on", NULL);
COMMAND(wait, "Wait until containers end, and print their exit codes", NULL);
