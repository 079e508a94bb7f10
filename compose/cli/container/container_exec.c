// SPDX-License-Identifier: GPL-2.0-or-later

/* `container exec`: a program beside a container's own, with docker's flags. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/detach_keys.h"
#include "compose/cli/args/env_words.h"
#include "compose/cli/args/target.h"
#include "compose/cli/command.h"
#include "compose/cli/machine.h"
#include "compose/cli/run/exec_session.h"
#include "compose/cli/view/output.h"

static bool detach, privileged, interactive, tty;
static const char *user, *working_dir, *detach_keys;
static char **environment, **env_files;

static const struct option options[] = {
	{"detach", 'd', OPTION_FLAG, &detach, NULL, "Start it and return at once"},
	{"detach-keys", 0, OPTION_STRING, &detach_keys, "string",
	 "Keys that leave it running (default ctrl-p,ctrl-q)"},
	{"env", 'e', OPTION_LIST, &environment, "list", "KEY=VALUE for its environment"},
	{"env-file", 0, OPTION_LIST, &env_files, "list", "Variables, from a file"},
	{"interactive", 'i', OPTION_FLAG, &interactive, NULL, "Give it our input"},
	{"privileged", 0, OPTION_FLAG, &privileged, NULL, "With all capabilities"},
	{"tty", 't', OPTION_FLAG, &tty, NULL, "Give it a terminal"},
	{"user", 'u', OPTION_STRING, &user, "string", "As this user: NAME, UID, or USER:GROUP"},
	{"workdir", 'w', OPTION_STRING, &working_dir, "string",
	 "In this directory of the container"},
	{NULL},
};

static int make_request(const json_t *container, char **argv, json_t **ret, struct error *err)
{
	json_t *request = json_object();
	_cleanup_strv_ char **list = NULL;

	*ret = request;
	strv_foreach(path, env_files) {
		if (env_words_read(&list, path, err) < 0)
			return -err->code;
	}
	env_words_add(&list, environment);
	json_put_string(request, "container", json_get_string(container, "id"));
	json_object_set_new(request, "args", json_from_strv(argv + 1));
	json_object_set_new(request, "env", json_from_strv(list));
	json_put_string(request, "user", user);
	json_put_string(request, "cwd", working_dir);
	json_put_bool(request, "tty", tty);
	json_put_bool(request, "privileged", privileged);
	json_put_bool(request, "detach", detach);
	return 0;
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_json_ json_t *container = NULL, *request = NULL;
	struct error err = ERROR_INIT;
	struct detach_keys keys;
	struct exec_way way = {tty && !detach, interactive, detach, &keys};
	int exit_code = 1;

	if (way.tty && detach_keys_parse(detach_keys, &keys, &err) < 0)
		return output_fail(args, &err);
	if (tty && interactive && !detach && !isatty(STDIN_FILENO)) {
		error_set(&err, ENOTTY, "the input device is not a TTY");
		return output_fail(args, &err);
	}
	if (machine_find(argv[0], &container, &err) < 0 ||
	    make_request(container, argv, &request, &err) < 0)
		return output_fail(args, &err);
	if (!container_is_running(container)) {
		error_set(&err, ESRCH, "container %s is not running", argv[0]);
		return output_fail(args, &err);
	}
	if (args->dry_run)
		return 0;
	if (exec_session(json_get_string(container, "project"), request, &way, &exit_code, &err) <
	    0)
		return output_fail(args, &err), exit_code;
	return exit_code;
}

const struct command command_container_exec = {
	.name = "exec",
	.operands = "[OPTIONS] CONTAINER COMMAND [ARG...]",
	.summary = "Run a program in a running container",
	.options = options,
	.min_operands = 2,
	.max_operands = -1,
	.stop_at_operand = true,
	.run = run,
};
