// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/dry_run.h"
#include "compose/cli/command.h"
#include "compose/cli/container/container_names.h"
#include "compose/cli/run/exec_session.h"
#include "compose/cli/run/run_service.h"
#include "compose/cli/run/run_session.h"
#include "compose/cli/up_options.h"
#include "compose/cli/view/output.h"

static bool detach, no_deps, no_tty, quiet, auto_remove, service_ports, use_aliases;
static bool interactive = true, tty = true;
static const char *entrypoint, *name, *user, *working_dir;
static char **cap_add, **cap_drop, **environment, **env_files, **labels, **publish, **volumes;

static const struct option options[] = {
	{"build", 0, OPTION_FLAG, &up_options.build, NULL, "Build the image first"},
	{"cap-add", 0, OPTION_LIST, &cap_add, "list", "A capability besides the service's"},
	{"cap-drop", 0, OPTION_LIST, &cap_drop, "list", "A capability that it is not to have"},
	{"detach", 'd', OPTION_FLAG, &detach, NULL, "Return once it is started; prints its id"},
	{"entrypoint", 0, OPTION_STRING, &entrypoint, "string",
	 "Instead of the image's or the service's entrypoint"},
	{"env", 'e', OPTION_LIST, &environment, "stringArray", "KEY=VALUE for its environment"},
	{"env-from-file", 0, OPTION_LIST, &env_files, "stringArray",
	 "Variables for its environment, from a file"},
	{"interactive", 'i', OPTION_FLAG, &interactive, NULL,
	 "Give it this terminal's input (on; --interactive=false)"},
	{"label", 'l', OPTION_LIST, &labels, "stringArray", "KEY=VALUE as a label of it"},
	{"name", 0, OPTION_STRING, &name, "string", "The container's name"},
	{"no-TTY", 'T', OPTION_FLAG, &no_tty, NULL,
	 "No terminal for it (one is made when this is a terminal)"},
	{"no-tty", 0, OPTION_FLAG, &no_tty, NULL, NULL},
	{"no-deps", 0, OPTION_FLAG, &no_deps, NULL, "Do not start what the service depends on"},
	{"publish", 'p', OPTION_LIST, &publish, "stringArray", "Publish a port: 8080:80"},
	{"pull", 0, OPTION_STRING, &up_options.pull, "string",
	 "When to pull: always, missing or never"},
	{"quiet", 'q', OPTION_FLAG, &quiet, NULL, "Only what the program itself prints"},
	{"quiet-build", 0, OPTION_FLAG, &up_options.quiet_build, NULL, "No output of builds"},
	{"quiet-pull", 0, OPTION_FLAG, &up_options.quiet_pull, NULL, "No progress while pulling"},
	{"remove-orphans", 0, OPTION_FLAG, &up_options.remove_orphans, NULL,
	 "Also remove containers of services that left the file"},
	{"rm", 0, OPTION_FLAG, &auto_remove, NULL, "Remove the container when it ends"},
	{"service-ports", 'P', OPTION_FLAG, &service_ports, NULL,
	 "Publish the service's ports (they are not, without this)"},
	{"tty", 't', OPTION_FLAG, &tty, NULL, NULL},
	{"use-aliases", 0, OPTION_FLAG, &use_aliases, NULL,
	 "Let it be found by the service's names on its networks"},
	{"user", 'u', OPTION_STRING, &user, "string", "As this user: NAME, UID, or USER:GROUP"},
	{"volume", 'v', OPTION_LIST, &volumes, "stringArray", "Mount a volume: ./dir:/path"},
	{"workdir", 'w', OPTION_STRING, &working_dir, "string",
	 "In this directory of the container"},
	{"yes", 'y', OPTION_FLAG, &up_options.yes, NULL, "Answer yes to every question"},
	{NULL},
};

DEFINE_CLEANUP(struct project *, project_free);

static int run_container(struct project_args *args, struct run_session *session)
{
	struct error err = ERROR_INIT;
	int r = run_session(args, session, &err);

	if (r < 0 && !session->interrupted)
		output_fail(args, &err);
	else if (r >= 0 && detach && !args->dry_run)
		puts(session->id ?: session->converge->options.oneoff);
	free(session->id);
	return session->exit_code;
}

static int dry_run(const struct run_session *running, struct error *err)
{
	_cleanup_(cleanup_project_free) struct project *project = NULL;

	if (project_from_json(running->oneoff_project, &project, err) < 0)
		return -err->code;
	return dry_run_print(project, &running->converge->options, err);
}

static int make_project(const struct converge *converge, struct run_session *running, char **argv,
			struct error *err)
{
	const struct service *service = project_service(converge->project, argv[0]);
	struct run_service run = {
		.service = argv[0],
		.command = argv + 1,
		.entrypoint = entrypoint,
		.user = user,
		.working_dir = working_dir,
		.environment = environment,
		.env_files = env_files,
		.labels = labels,
		.ports = publish,
		.volumes = volumes,
		.cap_add = cap_add,
		.cap_drop = cap_drop,
		.service_ports = service_ports,
		.tty = detach ? service->tty == TRI_TRUE : running->tty,
		.interactive = !detach && interactive,
	};

	return run_service_project(converge->project, &run, &running->oneoff_project, err);
}

static int check(const struct project_args *args, struct error *err)
{
	if (name && !container_name_is_valid(name))
		return error_set(err, EINVAL,
				 "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are "
				 "allowed",
				 name);
	if (publish && service_ports)
		return error_set(err, EINVAL, "--service-ports and --publish are incompatible");
	if (quiet)
		up_options.quiet_pull = up_options.quiet_build = true;
	return 0;
}

static int run(struct project_args *args, int argc, char **argv)
{
	struct converge converge = {.verb = "run"};
	struct run_session running = {.converge = &converge,
				      .detach = detach,
				      .interactive = interactive,
				      .auto_remove = auto_remove,
				      .use_aliases = use_aliases,
				      .quiet = quiet};
	_cleanup_free_ char *generated = NULL;
	char *services[] = {argv[0], NULL};
	struct project *project = NULL;
	struct error err = ERROR_INIT;
	char digits[13];
	int r = 1;

	running.tty = exec_session_wants_tty(tty && !no_tty && !detach, interactive);
	if (check(args, &err) < 0)
		return output_fail(args, &err);
	r = up_options_prepare(args, services, no_deps, &project, &converge);
	if (r != 0)
		goto out;
	fs_random_hex(digits, 6);
	generated = str_printf(args->compatibility ? "%s_%s_run_%s" : "%s-%s-run-%s", converge.name,
			       argv[0], digits);
	converge.options.oneoff = name ? name : generated;
	if (make_project(&converge, &running, argv, &err) < 0)
		r = output_fail(args, &err);
	else if (args->dry_run && !client_project_known(converge.name))
		r = dry_run(&running, &err) < 0 ? output_fail(args, &err) : 0;
	else
		r = run_container(args, &running);
	json_decref(running.oneoff_project);
out:
	up_options_done(&converge);
	project_free(project);
	return r;
}

const struct command command_run = {
	.name = "run",
	.operands = "[OPTIONS] SERVICE [COMMAND] [ARGS...]",
	.summary = "Run a program in a container of its own, made as the service's are",
	.options = options,
	.min_operands = 1,
	.max_operands = -1,
	.stop_at_operand = true,
	.run = run,
};
