// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/command.h"
#include "compose/cli/log_session.h"
#include "compose/cli/output.h"
#include "compose/cli/target.h"
#include "compose/control/requests.h"

static bool no_stdin, ignored_flag;
static int container_index;
static const char *detach_keys;

static const struct option options[] = {
	{"detach-keys", 0, OPTION_STRING, &detach_keys, "string", NULL},
	{"index", 0, OPTION_INT, &container_index, "int",
	 "Which replica, by its number (default 1)"},
	{"no-stdin", 0, OPTION_FLAG, &no_stdin, NULL, "Leave this terminal's input out"},
	{"sig-proxy", 0, OPTION_FLAG, &ignored_flag, NULL, NULL},
	{NULL},
};

DEFINE_CLEANUP(struct client *, client_free);

/* Where what we type goes: the container's stdin pipe, or its pty. -EBADF: it takes none. */
static int open_stdin(const struct target *target, const json_t *container, int *ret_fd,
		      struct error *err)
{
	_cleanup_(cleanup_client_free) struct client *client = NULL;
	_cleanup_json_ json_t *arguments = json_object(), *reply = NULL;
	int fds[FD_PASS_MAX], r;
	size_t count = 0;

	json_put_string(arguments, "container", json_get_string(container, "id"));
	r = client_request(target->name, CLIENT_START_FOR_STATE, REQUEST_ATTACH, arguments, NULL, 0,
			   &client, err);
	if (r >= 0)
		r = client_next(client, &reply, fds, &count, err);
	if (count)
		*ret_fd = fds[0];
	for (size_t i = 1; i < count; i++)
		close(fds[i]);
	return r < 0 ? r : 0;
}

static bool copy_stdin(int to)
{
	char buffer[4096];
	ssize_t n = read(STDIN_FILENO, buffer, sizeof(buffer));

	return n > 0 && fd_write_all(to, buffer, (size_t)n) >= 0;
}

static int follow(struct log_session *session, int input, struct error *err)
{
	bool typing = input >= 0 && !no_stdin;

	while (session->events && log_session_running(session) > 0) {
		_cleanup_free_ struct pollfd *polls = new_array(struct pollfd, session->count + 2);
		size_t n = log_session_polls(session, polls);

		polls[n] = (struct pollfd){typing ? STDIN_FILENO : -1, POLLIN};
		if (poll(polls, n + 1, -1) < 0)
			continue;
		if (polls[n].revents)
			typing = copy_stdin(input);
		if (log_session_work(session, polls[0].revents != 0, err) < 0)
			return -err->code;
	}
	return session->count ? session->sources[0].exit_code : 0;
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_target_ struct target target = {0};
	_cleanup_json_ json_t *containers = NULL;
	_cleanup_close_ int input = -EBADF;
	char *services[] = {argv[0], NULL};
	struct log_session session = {0};
	struct error err = ERROR_INIT;
	const json_t *container;
	int r;

	if (target_open(args, services, &target, &err) < 0 ||
	    target_containers(&target, true, services, &containers, &err) < 0 ||
	    target_pick(containers, argv[0], container_index, true, &container, &err) < 0 ||
	    open_stdin(&target, container, &input, &err) < 0)
		return output_fail(args, &err);
	converge_exit_on_signals();
	signal(SIGPIPE, SIG_IGN);
	session.project = target.name;
	session.services = services;
	session.index = (int)json_get_int(container, "number", 1);
	session.quiet_exits = true;
	session.options = (struct log_reader_options){
		.tail = LOG_TAIL_ALL,
		.since_nsec = units_now_nsec(),
		.follow = true,
	};
	r = log_session_follow(&session, &err);
	if (r >= 0)
		r = log_session_open(&session, &err);
	if (r >= 0)
		r = follow(&session, input, &err);
	log_session_done(&session);
	return r < 0 ? output_fail(args, &err) : r;
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
