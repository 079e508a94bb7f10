// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/run/attach.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/process.h"
#include "common/str.h"

#include "compose/cli/args/detach_keys.h"
#include "compose/cli/args/target.h"
#include "compose/cli/command.h"
#include "compose/cli/machine.h"
#include "compose/cli/run/exec_session.h"
#include "compose/cli/view/output.h"
#include "compose/cli/view/terminal.h"
#include "compose/control/requests.h"

static bool no_stdin, sig_proxy = true, ends_input;
static int container_index;
static const char *detach_keys;

static const struct option options[] = {
	{"detach-keys", 0, OPTION_STRING, &detach_keys, "string",
	 "Keys that leave it running (default ctrl-p,ctrl-q)"},
	{"index", 0, OPTION_INT, &container_index, "int",
	 "Which replica, by its number (default 1)"},
	{"no-stdin", 0, OPTION_FLAG, &no_stdin, NULL, "Leave this terminal's input out"},
	{"sig-proxy", 0, OPTION_FLAG, &sig_proxy, NULL,
	 "Pass signals that we get on to it (on; --sig-proxy=false)"},
	{NULL},
};

static const struct option single_options[] = {
	{"detach-keys", 0, OPTION_STRING, &detach_keys, "string",
	 "Keys that leave it running (default ctrl-p,ctrl-q)"},
	{"no-stdin", 0, OPTION_FLAG, &no_stdin, NULL, "Leave this terminal's input out"},
	{"sig-proxy", 0, OPTION_FLAG, &sig_proxy, NULL,
	 "Pass signals that we get on to it (on; --sig-proxy=false)"},
	{NULL},
};

DEFINE_CLEANUP(struct client *, client_free);

struct attaching {
	const char *project, *container; /* its id */
	int out, error;                  /* what it says from now on */
	int input;                       /* its stdin, or its terminal; negative: it takes none */
	int signals, window;
	bool tty, typing, detached;
	struct detach_keys keys;
};

static void close_streams(struct attaching *attaching)
{
	cleanup_close_fd(&attaching->out);
	cleanup_close_fd(&attaching->error);
	cleanup_close_fd(&attaching->input);
	attaching->out = attaching->error = attaching->input = -EBADF;
}

static int request(struct attaching *attaching, const int *theirs, size_t n, bool ahead,
		   struct error *err)
{
	_cleanup_(cleanup_client_free) struct client *client = NULL;
	_cleanup_json_ json_t *arguments = json_object(), *reply = NULL;
	int fds[FD_PASS_MAX], r;
	size_t count = 0;

	json_put_string(arguments, "container", attaching->container);
	json_put_bool(arguments, "ahead", ahead);
	r = client_request(attaching->project, CLIENT_START_FOR_STATE, REQUEST_ATTACH, arguments,
			   theirs, n, &client, err);
	if (r >= 0)
		r = client_next(client, &reply, fds, &count, err);
	if (count)
		attaching->input = fds[0];
	for (size_t i = 1; i < count; i++)
		close(fds[i]);
	attaching->tty = json_get_bool(reply, "tty", false);
	return r < 0 ? r : 0;
}

/* Two sockets: what it writes to stdout (or its terminal) and to stderr, byte for byte. */
static int attach(struct attaching *attaching, bool ahead, struct error *err)
{
	int out[2], error[2], theirs[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out) < 0)
		return error_errno(err, "make a socket");
	attaching->out = out[0];
	theirs[0] = out[1];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, error) < 0) {
		close(out[1]);
		return error_errno(err, "make a socket");
	}
	attaching->error = error[0];
	theirs[1] = error[1];
	r = request(attaching, theirs, ARRAY_SIZE(theirs), ahead, err);
	close(theirs[0]);
	close(theirs[1]);
	return r;
}

static void forward_signal(const struct attaching *attaching)
{
	_cleanup_json_ json_t *arguments = json_object();
	struct signalfd_siginfo info;
	struct error ignored = ERROR_INIT;

	if (read(attaching->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (!sig_proxy) {
		terminal_restore();
		_exit(128 + (int)info.ssi_signo);
	}
	json_put_string(arguments, "container", attaching->container);
	json_put_int(arguments, "signal", (int64_t)info.ssi_signo);
	(void)client_call(attaching->project, CLIENT_START_FOR_STATE, REQUEST_KILL, arguments, NULL,
			  &ignored);
}

/* What it reads ends once nobody can write to it: here, in the supervisor and in the keeper. */
static void end_input(struct attaching *attaching)
{
	_cleanup_json_ json_t *arguments = json_object();
	struct error ignored = ERROR_INIT;

	cleanup_close_fd(&attaching->input);
	attaching->input = -EBADF;
	json_put_string(arguments, "container", attaching->container);
	(void)client_call(attaching->project, CLIENT_START_FOR_STATE, REQUEST_END_INPUT, arguments,
			  NULL, &ignored);
}

static void take_type(struct attaching *attaching)
{
	struct detach_keys *keys = attaching->tty ? &attaching->keys : NULL;

	if (exec_session_type(attaching->input, keys, &attaching->detached))
		return;
	attaching->typing = false;
	if (ends_input && !attaching->tty)
		end_input(attaching);
}

static void take_stream(int *fd, int to)
{
	if (terminal_copy_some(*fd, to) > 0)
		return;
	close(*fd);
	*fd = -EBADF;
}

/* Until both streams have ended, or the keys were pressed. */
static void copy(struct attaching *attaching)
{
	struct signalfd_siginfo info;

	while ((attaching->out >= 0 || attaching->error >= 0) && !attaching->detached) {
		struct pollfd polls[] = {
			{attaching->out, POLLIN},
			{attaching->error, POLLIN},
			{attaching->typing && attaching->input >= 0 ? STDIN_FILENO : -1, POLLIN},
			{attaching->signals, POLLIN},
			{attaching->window, POLLIN},
		};

		int n = poll(polls, ARRAY_SIZE(polls), detach_keys_timeout(&attaching->keys));

		if (n == 0)
			exec_session_release(attaching->input, &attaching->keys);
		if (n <= 0)
			continue;
		if (polls[0].revents)
			take_stream(&attaching->out, STDOUT_FILENO);
		if (polls[1].revents)
			take_stream(&attaching->error, STDERR_FILENO);
		/* With nobody to hear the answer it waits until we are attached again. */
		if (polls[2].revents && (attaching->out >= 0 || attaching->error >= 0))
			take_type(attaching);
		if (polls[3].revents)
			forward_signal(attaching);
		if (polls[4].revents && read(attaching->window, &info, sizeof(info)) > 0 &&
		    attaching->tty && attaching->input >= 0)
			terminal_copy_size(attaching->input);
	}
}

static int watch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP};

	return process_signals_fd(signals, ARRAY_SIZE(signals));
}

/* 1: it still runs (its supervisor was killed, or we were too slow for it); 0: its exit code. */
static int is_running(const struct target *target, const char *id, int *ret_exit_code,
		      struct error *err)
{
	_cleanup_json_ json_t *containers = NULL;
	json_t *container;
	size_t i;

	if (target_containers(target, true, NULL, &containers, err) < 0)
		return -err->code;
	json_array_foreach(containers, i, container) {
		if (!str_equal(json_get_string(container, "id"), id))
			continue;
		*ret_exit_code = (int)json_get_int(container, "exit_code", 0);
		return str_equal(json_get_string(container, "state"), "running") ||
		       str_equal(json_get_string(container, "state"), "paused");
	}
	return 0;
}

/* With a copy of what it says waiting for us, it may be over before its input is asked for. */
static int take_input(struct attaching *attaching, struct error *err)
{
	int r = request(attaching, NULL, 0, false, err);

	if (r < 0 && err->code == ENOENT)
		error_clear(err), r = 0;
	return r;
}

static int follow(const struct target *target, struct attaching *attaching, bool ahead,
		  int *ret_exit_code, struct error *err)
{
	bool raw = false;
	int r;

	do {
		if (!ahead)
			close_streams(attaching);
		r = ahead ? take_input(attaching, err) : attach(attaching, false, err);
		ahead = false;
		/* It ended while we came back to it. */
		if (r < 0 && raw && err->code == ENOENT)
			error_clear(err), r = 0;
		if (r < 0)
			break;
		if (attaching->tty && attaching->input >= 0)
			terminal_copy_size(attaching->input);
		if (!raw && attaching->tty && attaching->typing && isatty(STDIN_FILENO))
			terminal_make_raw();
		raw = true;
		copy(attaching);
		if (!attaching->detached)
			r = is_running(target, attaching->container, ret_exit_code, err);
	} while (r > 0);
	terminal_restore();
	return r;
}

static int attach_to(struct project_args *args, const char *project, const json_t *container,
		     const struct attach_options *how, struct error *err)
{
	struct target target = {.name = (char *)project};
	struct attaching attaching = {
		.out = -EBADF, .error = -EBADF, .input = -EBADF, .typing = !no_stdin};
	int r, exit_code = 0;

	if (detach_keys_parse(detach_keys, &attaching.keys, err) < 0)
		return output_fail(args, err);
	if (args->dry_run)
		return 0;
	signal(SIGPIPE, SIG_IGN);
	attaching.project = project;
	attaching.container = json_get_string(container, "id");
	attaching.signals = watch_signals();
	attaching.window = terminal_watch_size();
	r = how->start ? attach(&attaching, true, err) : 0;
	if (r >= 0 && how->start)
		exit_code = how->start(args, container);
	if (r >= 0 && exit_code == 0)
		r = follow(&target, &attaching, how->start != NULL, &exit_code, err);
	close_streams(&attaching);
	close(attaching.signals);
	close(attaching.window);
	return r < 0 ? output_fail(args, err) : exit_code;
}

int attach_container(struct project_args *args, const json_t *container,
		     const struct attach_options *how)
{
	struct error err = ERROR_INIT;

	detach_keys = how->detach_keys;
	no_stdin = how->no_stdin;
	ends_input = how->ends_input;
	return attach_to(args, json_get_string(container, "project"), container, how, &err);
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_target_ struct target target = {0};
	_cleanup_json_ json_t *containers = NULL;
	char *services[] = {argv[0], NULL};
	struct error err = ERROR_INIT;
	const json_t *container;

	if (target_open(args, services, &target, &err) < 0 ||
	    target_containers(&target, true, services, &containers, &err) < 0 ||
	    target_pick(containers, argv[0], container_index, true, &container, &err) < 0)
		return output_fail(args, &err);
	return attach_to(args, target.name, container, &(struct attach_options){0}, &err);
}

static int run_single(struct project_args *args, int argc, char **argv)
{
	_cleanup_json_ json_t *container = NULL;
	struct error err = ERROR_INIT;

	if (machine_find(argv[0], &container, &err) < 0)
		return output_fail(args, &err);
	if (!container_is_running(container) ||
	    str_equal(json_get_string(container, "state"), "paused")) {
		error_set(&err, ESRCH, "you cannot attach to container %s, which is %s", argv[0],
			  json_get_string(container, "state"));
		return output_fail(args, &err);
	}
	return attach_to(args, json_get_string(container, "project"), container,
			 &(struct attach_options){0}, &err);
}

const struct command command_attach = {
	.name = "attach",
	.operands = "[OPTIONS] SERVICE",
	.summary = "Connect this terminal to the main process of a running service",
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
};

const struct command command_container_attach = {
	.name = "attach",
	.operands = "[OPTIONS] CONTAINER",
	.summary = "Connect this terminal to the main process of a running container",
	.options = single_options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run_single,
};
