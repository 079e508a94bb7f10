// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/run/exec_session.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/json.h"

#include "compose/cli/args/detach_keys.h"
#include "compose/cli/client.h"
#include "compose/cli/run/run_copy.h"
#include "compose/cli/view/output.h"
#include "compose/cli/view/terminal.h"
#include "compose/control/requests.h"

DEFINE_CLEANUP(struct client *, client_free);

/* False: that was all. */
static bool show(int master, struct run_copy *copy)
{
	char said[32 << 10];
	ssize_t n = read(master, said, sizeof(said));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n > 0 && copy)
		run_copy_log(copy, said, (size_t)n);
	return n > 0 && fd_write_all(STDOUT_FILENO, said, (size_t)n) >= 0;
}

/* What the program wrote last is still in the pty when its exit is known. */
static void drain(int master, struct run_copy *copy)
{
	struct pollfd poll_fd = {master, POLLIN};

	while (poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & POLLIN))
		if (!show(master, copy))
			return;
}

static bool has_message(int socket)
{
	char byte;

	return recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

bool exec_session_type(int master, struct detach_keys *keys, bool *ret_detached)
{
	_cleanup_strbuf_ struct strbuf out = {0};
	char typed[4096];
	ssize_t n;

	if (!keys)
		return terminal_copy_some(STDIN_FILENO, master) > 0;
	n = read(STDIN_FILENO, typed, sizeof(typed));
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0)
		return false;
	*ret_detached = detach_keys_filter(keys, typed, (size_t)n, &out);
	return !out.length || fd_write_all(master, out.data, out.length) >= 0;
}

void exec_session_release(int master, struct detach_keys *keys)
{
	_cleanup_strbuf_ struct strbuf out = {0};

	detach_keys_release(keys, &out);
	if (out.length)
		(void)fd_write_all(master, out.data, out.length);
}

bool exec_session_copy(int master, bool interactive, int done, struct detach_keys *keys,
		       struct run_copy *copy)
{
	_cleanup_close_ int window = terminal_watch_size();
	struct pollfd polls[] = {
		{master, POLLIN},
		{interactive ? STDIN_FILENO : -1, POLLIN},
		{window, POLLIN},
		{done, POLLIN},
	};
	struct signalfd_siginfo info;
	bool detached = false;

	terminal_copy_size(master);
	if (interactive)
		terminal_make_raw();
	while (!detached) {
		int n = poll(polls, ARRAY_SIZE(polls), detach_keys_timeout(keys));

		if (n < 0 && errno != EINTR)
			break;
		if (n == 0)
			exec_session_release(master, keys);
		if (polls[0].revents && !show(master, copy))
			break;
		if (polls[1].revents && !exec_session_type(master, keys, &detached))
			polls[1].fd = -1;
		if (polls[2].revents && read(window, &info, sizeof(info)) > 0)
			terminal_copy_size(master);
		if (polls[3].revents && !has_message(done)) {
			/* The supervisor died; the session does not need it. */
			polls[3].fd = -1;
		} else if (polls[3].revents) {
			drain(master, copy);
			break;
		}
	}
	terminal_restore();
	return detached;
}

/*
 * Our own descriptors go to the program as they are. One that is closed would shift the others:
 * then /dev/null takes its place; without -i there is nothing to read.
 */
void exec_session_stdio(bool interactive, int fds[3], int *ret_null)
{
	*ret_null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 3; i++)
		fds[i] = fcntl(i, F_GETFD) < 0 || (i == 0 && !interactive) ? *ret_null : i;
}

bool exec_session_wants_tty(bool tty, bool interactive)
{
	return tty && isatty(STDOUT_FILENO) && (!interactive || isatty(STDIN_FILENO));
}

static void put_window_size(json_t *request)
{
	unsigned short columns, rows;

	output_terminal_size(STDIN_FILENO, &columns, &rows);
	json_put_int(request, "rows", rows);
	json_put_int(request, "columns", columns);
}

static int wait_started(struct client *client, int *ret_master, json_t **ret_message,
			struct error *err)
{
	int fds[FD_PASS_MAX];
	size_t count = 0;
	int r = client_next(client, ret_message, fds, &count, err);

	if (count > 0)
		*ret_master = fds[0];
	for (size_t i = 1; i < count; i++)
		close(fds[i]);
	return r;
}

/* The program goes on without its supervisor, whose successor is asked how it ended. */
static int wait_again(const char *project, const json_t *started, int *ret_exit_code,
		      struct error *err)
{
	_cleanup_json_ json_t *arguments = json_object(), *reply = NULL;
	int r;

	error_clear(err);
	json_object_set(arguments, "exec", json_object_get(started, "exec"));
	r = client_call(project, CLIENT_START_FOR_STATE, REQUEST_EXEC_WAIT, arguments, &reply, err);
	if (r < 0)
		return r;
	*ret_exit_code = (int)json_get_int(reply, "exit_code", 0);
	return 0;
}

static int wait_done(struct client *client, const char *project, const json_t *started,
		     int *ret_exit_code, struct error *err)
{
	for (;;) {
		_cleanup_json_ json_t *message = NULL;
		int r = client_next(client, &message, NULL, NULL, err);

		if (r == -EPIPE)
			return wait_again(project, started, ret_exit_code, err);
		if (r < 0)
			return r;
		if (r > 0)
			continue;
		*ret_exit_code = (int)json_get_int(message, "exit_code", 0);
		return 0;
	}
}

/*
 * Nobody reads its terminal any more. Our connection's end tells the supervisor; one that came
 * after that connection is told by another that ends.
 */
static void leave(struct client *client, const char *project, const json_t *started)
{
	_cleanup_json_ json_t *arguments = json_object();
	struct client *another = NULL;
	struct error ignored = ERROR_INIT;
	char byte;

	if (recv(client_fd(client), &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
		return;
	json_object_set(arguments, "exec", json_object_get(started, "exec"));
	(void)client_request(project, CLIENT_START_FOR_STATE, REQUEST_EXEC_WAIT, arguments, NULL, 0,
			     &another, &ignored);
	client_free(another);
}

int exec_session(const char *project, json_t *request, const struct exec_way *way,
		 int *ret_exit_code, struct error *err)
{
	_cleanup_(cleanup_client_free) struct client *client = NULL;
	_cleanup_close_ int null = -EBADF, master = -EBADF;
	_cleanup_json_ json_t *started = NULL;
	int fds[3], r;

	*ret_exit_code = 1;
	if (way->tty)
		put_window_size(request);
	exec_session_stdio(way->interactive && !way->detach, fds, &null);
	/* What goes on without us must not keep our caller's pipes open. */
	for (size_t i = 0; way->detach && i < ARRAY_SIZE(fds); i++)
		fds[i] = null;
	r = client_request(project, CLIENT_START_FOR_STATE, REQUEST_EXEC, request, fds,
			   way->tty ? 0 : ARRAY_SIZE(fds), &client, err);
	if (r < 0)
		return r;
	r = wait_started(client, &master, &started, err);
	if (r < 0) {
		*ret_exit_code = client_exit_code(client);
		return r;
	}
	if (r == 0) {
		*ret_exit_code = (int)json_get_int(started, "exit_code", 0);
		return 0;
	}
	client_stay(client);
	if (way->tty && master >= 0 &&
	    exec_session_copy(master, way->interactive, client_fd(client), way->keys, NULL)) {
		leave(client, project, started);
		*ret_exit_code = 0;
		return 0;
	}
	r = wait_done(client, project, started, ret_exit_code, err);
	if (r < 0)
		*ret_exit_code = client_exit_code(client);
	return r;
}
