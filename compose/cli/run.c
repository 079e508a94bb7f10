// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/command.h"
#include "compose/cli/detach_keys.h"
#include "compose/cli/dry_run.h"
#include "compose/cli/exec_session.h"
#include "compose/cli/output.h"
#include "compose/cli/run_service.h"
#include "compose/cli/up_options.h"
#include "compose/control/requests.h"

#define EXIT_INTERRUPTED   130
#define CONTAINER_NAME_MAX 200
/* As docker: whoever asks a third time is not to be kept by a program that does not listen. */
#define SIGNALS_PATIENCE 3

static bool detach, no_deps, no_tty, quiet, auto_remove, service_ports, use_aliases;
static bool interactive = true, tty = true;
static const char *entrypoint, *name, *user, *working_dir;
static char **cap_add, **cap_drop, **environment, **env_files, **labels, **publish, **volumes;

static const struct option options[] = {
	{"build", 0, OPTION_FLAG, &up_options.build, NULL, "Build the image first"},
	{"cap-add", 0, OPTION_LIST, &cap_add, "list", "A capability besides the service's"},
	{"cap-drop", 0, OPTION_LIST, &cap_drop, "list", "A capability that it is not to have"},
	{"detach", 'd', OPTION_FLAG, &detach, NULL, "Return once it is started; prints its name"},
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
	{NULL},
};

DEFINE_CLEANUP(struct client *, client_free);
DEFINE_CLEANUP(struct progress *, progress_free);
DEFINE_CLEANUP(struct project *, project_free);

struct running {
	struct project_args *args;
	const struct converge *converge;
	const char *container; /* its name */
	json_t *oneoff_project;
	struct client *client;
	struct progress *progress;
	bool use_tty;
	int signals;
	unsigned int interrupts;
	bool had_terminal, detached;
	int exit_code;
};

static json_t *make_request(const struct running *running)
{
	json_t *request = converge_arguments(running->converge->project,
					     &running->converge->options, running->args->dry_run);

	json_object_set(request, "oneoff_project", running->oneoff_project);
	json_put_bool(request, "foreground", !detach);
	json_put_bool(request, "auto_remove", auto_remove);
	json_put_bool(request, "use_aliases", use_aliases);
	return request;
}

static int watch_signals(void)
{
	static const int forwarded[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};
	sigset_t set;

	sigemptyset(&set);
	array_foreach(number, forwarded)
		sigaddset(&set, *number);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The program gets what was meant for it. Before there is one, we are the one to end. */
static int forward_signal(struct running *running, struct error *err)
{
	_cleanup_json_ json_t *arguments = json_object();
	struct signalfd_siginfo info;
	struct error ignored = ERROR_INIT;
	int signal, r;

	if (read(running->signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	signal = (int)info.ssi_signo;
	if (signal == SIGINT || signal == SIGTERM)
		running->interrupts++;
	if (running->interrupts == SIGNALS_PATIENCE)
		signal = SIGKILL;
	json_put_string(arguments, "container", running->container);
	json_put_int(arguments, "signal", signal);
	r = client_call(running->converge->name, CLIENT_START_FOR_STATE, REQUEST_KILL, arguments,
			NULL, &ignored);
	if (r >= 0)
		return 0;
	running->exit_code = EXIT_INTERRUPTED;
	return error_set(err, EINTR, "interrupted");
}

static void use_terminal(struct running *running, int master)
{
	struct detach_keys keys;
	struct error ignored = ERROR_INIT;

	if (running->had_terminal)
		return;
	running->had_terminal = true;
	progress_free(TAKE_PTR(running->progress));
	detach_keys_parse(NULL, &keys, &ignored);
	running->exit_code = 0;
	running->detached =
		exec_session_copy(master, interactive, client_fd(running->client), &keys);
}

/* 1: more is to come; 0: it has ended, or was started where that is all. */
static int take_message(struct running *running, struct error *err)
{
	_cleanup_json_ json_t *message = NULL;
	int fds[FD_PASS_MAX];
	size_t count = 0;
	int r = client_next(running->client, &message, fds, &count, err);

	if (r < 0) {
		running->exit_code = client_exit_code(running->client);
		return r;
	}
	if (r == 0)
		running->exit_code = detach ? 0 : (int)json_get_int(message, "exit_code", 0);
	else if (str_equal(json_get_string(message, "event"), "terminal") && count)
		use_terminal(running, fds[0]);
	else if (running->progress)
		converge_show(running->progress, message);
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	return running->detached ? 0 : r;
}

static int follow(struct running *running, struct error *err)
{
	int r = 1;

	while (r > 0) {
		struct pollfd polls[] = {{client_fd(running->client), POLLIN},
					 {running->signals, POLLIN}};

		poll(polls, ARRAY_SIZE(polls),
		     running->progress ? progress_timeout(running->progress) : -1);
		if (running->progress)
			progress_tick(running->progress);
		if (polls[1].revents && forward_signal(running, err) < 0)
			return -err->code;
		if (polls[0].revents)
			r = take_message(running, err);
	}
	return r;
}

static int request(struct running *running, struct error *err)
{
	_cleanup_json_ json_t *arguments = make_request(running);
	_cleanup_close_ int null = -EBADF;
	bool hand_over = !detach && !running->use_tty;
	int fds[3], r;

	exec_session_stdio(interactive, fds, &null);
	r = client_request(running->converge->name, CLIENT_START, REQUEST_RUN, arguments, fds,
			   hand_over ? ARRAY_SIZE(fds) : 0, &running->client, err);
	return r < 0 ? r : follow(running, err);
}

static int run_container(struct running *running)
{
	struct project_args *args = running->args;
	struct error err = ERROR_INIT;
	int r;

	if (quiet)
		args->progress = "quiet";
	running->progress = progress_new(args, "run");
	running->signals = watch_signals();
	r = request(running, &err);
	if (running->progress && r < 0)
		progress_freeze(running->progress);
	progress_free(TAKE_PTR(running->progress));
	client_free(running->client);
	close(running->signals);
	if (r < 0 && running->exit_code != EXIT_INTERRUPTED)
		output_fail(args, &err);
	else if (r >= 0 && detach && !args->dry_run)
		puts(running->container);
	return running->exit_code;
}

static int dry_run(const struct running *running, struct error *err)
{
	_cleanup_(cleanup_project_free) struct project *project = NULL;

	if (project_from_json(running->oneoff_project, &project, err) < 0)
		return -err->code;
	return dry_run_print(project, &running->converge->options, err);
}

static int make_project(const struct converge *converge, struct running *running, char **argv,
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
		.tty = detach ? service->tty == TRI_TRUE : running->use_tty,
		.interactive = !detach && interactive,
	};

	return run_service_project(converge->project, &run, &running->oneoff_project, err);
}

static bool is_container_name(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.-";

	return text[0] && text[1] && !strchr("_.-", text[0]) &&
	       text[strspn(text, letters)] == '\0' && strlen(text) <= CONTAINER_NAME_MAX;
}

static int check(const struct project_args *args, struct error *err)
{
	if (name && !is_container_name(name))
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
	struct running running = {.args = args, .converge = &converge, .exit_code = 1};
	_cleanup_free_ char *generated = NULL;
	char *services[] = {argv[0], NULL};
	struct project *project = NULL;
	struct error err = ERROR_INIT;
	char digits[13];
	int r = 1;

	running.use_tty = exec_session_wants_tty(tty && !no_tty && !detach, interactive);
	if (check(args, &err) < 0)
		return output_fail(args, &err);
	if (up_options_prepare(args, services, no_deps, &project, &converge) != 0)
		goto out;
	fs_random_hex(digits, 6);
	generated = str_printf(args->compatibility ? "%s_%s_run_%s" : "%s-%s-run-%s", converge.name,
			       argv[0], digits);
	running.container = name ? name : generated;
	converge.options.oneoff = running.container;
	if (make_project(&converge, &running, argv, &err) < 0)
		r = output_fail(args, &err);
	else if (args->dry_run && !client_project_known(converge.name))
		r = dry_run(&running, &err) < 0 ? output_fail(args, &err) : 0;
	else
		r = run_container(&running);
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
