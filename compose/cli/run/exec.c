// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/detach_keys.h"
#include "compose/cli/args/env_words.h"
#include "compose/cli/args/target.h"
#include "compose/cli/command.h"
#include "compose/cli/run/exec_session.h"
#include "compose/cli/view/output.h"

static bool detach, privileged, no_tty, interactive = true, tty = true;
static int container_index;
static const char *user, *working_dir;
static char **environment;

static const struct option options[] = {
	{"detach", 'd', OPTION_FLAG, &detach, NULL, "Start it and return at once"},
	{"env", 'e', OPTION_LIST, &environment, "stringArray", "KEY=VALUE for its environment"},
	{"index", 0, OPTION_INT, &container_index, "int", "Which replica, by its number"},
	{"interactive", 'i', OPTION_FLAG, &interactive, NULL, NULL},
	{"no-TTY", 'T', OPTION_FLAG, &no_tty, NULL, NULL},
	{"no-tty", 0, OPTION_FLAG, &no_tty, NULL,
	 "No terminal for it, as with -T (one is made when this is a terminal)"},
	{"privileged", 0, OPTION_FLAG, &privileged, NULL, "With all capabilities"},
	{"tty", 't', OPTION_FLAG, &tty, NULL, NULL},
	{"user", 'u', OPTION_STRING, &user, "string", "As this user: NAME, UID, or USER:GROUP"},
	{"workdir", 'w', OPTION_STRING, &working_dir, "string",
	 "In this directory of the container"},
	{NULL},
};

/* -e KEY takes the value from our own environment, as docker does. */
static json_t *environment_json(void)
{
	_cleanup_strv_ char **list = NULL;

	env_words_add(&list, environment);
	return json_from_strv(list);
}

static json_t *make_request(int argc, char **argv, bool use_tty)
{
	json_t *request = json_object();

	json_put_string(request, "service", argv[0]);
	json_put_int(request, "index", container_index);
	json_object_set_new(request, "args", json_from_strv(argv + 1));
	json_object_set_new(request, "env", environment_json());
	json_put_string(request, "user", user);
	json_put_string(request, "cwd", working_dir);
	json_put_bool(request, "tty", use_tty);
	json_put_bool(request, "privileged", privileged);
	json_put_bool(request, "detach", detach);
	return request;
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_target_ struct target target = {0};
	_cleanup_json_ json_t *request = NULL;
	char *services[] = {argv[0], NULL};
	struct error err = ERROR_INIT;
	bool use_tty = exec_session_wants_tty(tty && !no_tty && !detach, interactive);
	struct detach_keys keys;
	struct exec_way way = {use_tty, interactive, detach, &keys};
	int exit_code = 1;

	if ((use_tty && detach_keys_parse(NULL, &keys, &err) < 0) ||
	    target_open(args, services, &target, &err) < 0)
		return output_fail(args, &err);
	if (!client_project_known(target.name)) {
		error_set(&err, ENOENT, "service \"%s\" is not running", argv[0]);
		return output_fail(args, &err);
	}
	if (args->dry_run)
		return 0;
	request = make_request(argc, argv, use_tty);
	if (exec_session(target.name, request, &way, &exit_code, &err) < 0)
		return output_fail(args, &err), exit_code;
	return exit_code;
}

const struct command command_exec = {
	.name = "exec",
	.operands = "[OPTIONS] SERVICE COMMAND [ARGS...]",
	.summary = "Run a program in a running container",
	.options = options,
	.min_operands = 2,
	.max_operands = -1,
	.stop_at_operand = true,
	.run = run,
};
