// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/run/run_session.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/process.h"
#include "common/str.h"

#include "compose/cli/args/detach_keys.h"
#include "compose/cli/run/exec_session.h"
#include "compose/cli/run/run_copy.h"
#include "compose/control/requests.h"

#define EXIT_INTERRUPTED 130
/* As docker: whoever asks a third time is not to be kept by a program that does not listen. */
#define SIGNALS_PATIENCE 3

struct running {
	struct project_args *args;
	struct run_session *session;
	struct detach_keys keys;
	struct client *client;
	struct progress *progress;
	struct run_copy *copy; /* NULL: in the background */
	int signals;
	unsigned int interrupts;
	bool had_terminal, detached, ended;
	int exit_code;
};

static json_t *make_request(const struct running *running)
{
	json_t *request =
		converge_arguments(running->session->converge->project,
				   &running->session->converge->options, running->args->dry_run);

	json_object_set(request, "oneoff_project", running->session->oneoff_project);
	json_put_bool(request, "foreground", !running->session->detach);
	json_put_bool(request, "auto_remove", running->session->auto_remove);
	json_put_bool(request, "use_aliases", running->session->use_aliases);
	return request;
}

static int watch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};

	return process_signals_fd(signals, ARRAY_SIZE(signals));
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
	json_put_string(arguments, "container", running->session->converge->options.oneoff);
	json_put_int(arguments, "signal", signal);
	r = client_call(running->session->converge->name, CLIENT_START_FOR_STATE, REQUEST_KILL,
			arguments, NULL, &ignored);
	if (r >= 0)
		return 0;
	running->exit_code = EXIT_INTERRUPTED;
	return error_set(err, EINTR, "interrupted");
}

static void use_terminal(struct running *running, int master)
{
	if (running->had_terminal)
		return;
	running->had_terminal = true;
	progress_free(TAKE_PTR(running->progress));
	running->exit_code = 0;
	running->detached =
		exec_session_copy(master, running->session->interactive, client_fd(running->client),
				  &running->keys, running->copy);
}

static void take_end(struct running *running, const json_t *message)
{
	struct run_session *session = running->session;
	const char *id = json_get_string(message, "container");

	free(session->id);
	session->id = id ? alloc_string(id) : NULL;
	running->exit_code = session->detach ? 0 : (int)json_get_int(message, "exit_code", 0);
	running->ended = true;
	client_stay(running->client);
}

/* 1: more is to come; 0: it has ended, or was started where that is all. */
static int take_message(struct running *running, struct error *err)
{
	_cleanup_json_ json_t *message = NULL;
	int fds[FD_PASS_MAX];
	size_t count = 0;
	int r = client_next(running->client, &message, fds, &count, err);

	/* Only that it is removed was still to be heard. */
	if (r < 0 && running->ended) {
		error_clear(err);
		return 0;
	}
	if (r < 0) {
		running->exit_code = client_exit_code(running->client);
		return r;
	}
	if (r == 0 || str_equal(json_get_string(message, "event"), "ended"))
		take_end(running, message);
	else if (str_equal(json_get_string(message, "event"), "terminal") && count)
		use_terminal(running, fds[0]);
	else if (running->progress)
		converge_show(running->progress, message);
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	return running->detached ? 0 : r;
}

/* Its stdout or stderr is read by nobody any more: it is to learn of that as if they were ours. */
static void tell_broken(const struct running *running, int stream)
{
	_cleanup_json_ json_t *arguments = json_object();
	struct error ignored = ERROR_INIT;

	json_put_string(arguments, "container", running->session->converge->options.oneoff);
	json_put_int(arguments, "stream", stream);
	(void)client_call(running->session->converge->name, CLIENT_START_FOR_STATE,
			  REQUEST_END_OUTPUT, arguments, NULL, &ignored);
}

static void copy_output(const struct running *running)
{
	int stream;

	run_copy_work(running->copy);
	while ((stream = run_copy_broken(running->copy)))
		tell_broken(running, stream);
}

static int follow(struct running *running, struct error *err)
{
	int r = 1;

	while (r > 0) {
		struct pollfd polls[2 + RUN_COPY_POLLS] = {{client_fd(running->client), POLLIN},
							   {running->signals, POLLIN}};
		size_t count = 2;

		if (running->copy)
			count += run_copy_polls(running->copy, polls + count);
		poll(polls, count, running->progress ? progress_timeout(running->progress) : -1);
		if (running->copy)
			copy_output(running);
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
	int ours[3], fds[RUN_FDS], r;
	size_t count = 0;

	exec_session_stdio(running->session->interactive, ours, &null);
	if (running->copy)
		count = run_copy_fds(running->copy, ours[0], fds);
	r = client_request(running->session->converge->name, CLIENT_START, REQUEST_RUN, arguments,
			   fds, count, &running->client, err);
	if (r >= 0)
		r = follow(running, err);
	if (running->copy && !running->detached)
		run_copy_rest(running->copy, running->signals);
	return r;
}

int run_session(struct project_args *args, struct run_session *session, struct error *err)
{
	struct running running = {.args = args, .session = session, .exit_code = 1};
	const struct run_copy_way way = {session->tty, session->no_stdout, session->no_stderr};
	int r = detach_keys_parse(session->detach_keys, &running.keys, err);

	session->exit_code = 1;
	if (r < 0)
		return r;
	if (session->quiet)
		args->progress = "quiet";
	running.progress = progress_new(args, "run");
	running.signals = session->no_signals ? -EBADF : watch_signals();
	r = session->detach || args->dry_run ? 0 : run_copy_new(&way, &running.copy, err);
	if (r >= 0)
		r = request(&running, err);
	if (running.progress && r < 0)
		progress_freeze(running.progress);
	progress_free(TAKE_PTR(running.progress));
	client_free(running.client);
	run_copy_free(running.copy);
	if (running.signals >= 0)
		close(running.signals);
	session->exit_code = running.exit_code;
	session->interrupted = r < 0 && running.exit_code == EXIT_INTERRUPTED;
	return r;
}
