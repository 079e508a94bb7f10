// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/client.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/keeper_start.h"
#include "compose/control/requests.h"

/* So many broken connections in a row, without one message between them, are no accident. */
#define TRIES_MAX      8
#define RECONNECT_USEC (15 * (int64_t)USEC_PER_SEC)

struct client {
	char *project;
	struct message_stream *stream;
	json_t *request;
	int fds[FD_PASS_MAX]; /* borrowed from the caller */
	size_t fd_count;
	enum client_start start;
	unsigned int tries, reconnects;
	int exit_code;
	bool finished, stay;
};
DEFINE_CLEANUP(struct client *, client_free);

/* What another user keeps from us may well be there: -EACCES is for the caller to tell. */
static bool exists(const char *path)
{
	return access(path, F_OK) == 0 || errno == EACCES;
}

static bool has_state(const char *project)
{
	_cleanup_free_ char *path = paths_project_state(project);

	return exists(path);
}

bool client_project_known(const char *project)
{
	_cleanup_free_ char *path = paths_control_socket(project);

	return exists(path) || has_state(project);
}

static bool is_denied(const char *path, int how)
{
	return access(path, how) < 0 && errno == EACCES;
}

static int denied(const char *project, struct error *err)
{
	_cleanup_free_ char *runtime = paths_project_runtime(project);
	_cleanup_free_ char *state = paths_project_state(project);

	return error_set(err, EACCES,
			 "project %s: permission denied: %s belongs to another user; run as that "
			 "user or with sudo",
			 project, is_denied(runtime, R_OK | X_OK) ? runtime : state);
}

int client_check_privileges(const char *project, struct error *err)
{
	_cleanup_free_ char *socket = paths_control_socket(project);
	_cleanup_free_ char *state = paths_project_state(project);

	if (geteuid() == 0)
		return 0;
	if (is_denied(socket, F_OK) || is_denied(state, R_OK | X_OK))
		return denied(project, err);
	if (client_project_known(project))
		return 0;
	return error_set(err, EPERM, "project %s: nothing is running that this user may use",
			 project);
}

static int open_connection(const char *project, enum client_start start, struct error *err)
{
	int fd = keeper_connect(project);

	if (fd >= 0)
		return fd;
	if (fd == -EACCES || fd == -EPERM)
		return denied(project, err);
	if (fd != -ENOENT && fd != -ECONNREFUSED)
		return error_code(err, fd, "project %s: connect to its supervisor", project);
	/* A socket without a listener may be one whose supervisor is being started again. */
	if (fd == -ECONNREFUSED) {
		struct error ignored = ERROR_INIT;

		fd = keeper_wait_connect(project, USEC_PER_SEC / 2, &ignored);
		if (fd >= 0)
			return fd;
	}
	if (fd == -ENOENT) {
		fd = keeper_find_lost(project, err);
		if (fd >= 0 || err->code)
			return fd;
	}
	if (start == CLIENT_NEVER_START || (start == CLIENT_START_FOR_STATE && !has_state(project)))
		return error_set(err, ENOENT, "project %s: nothing is running", project);
	if (client_check_privileges(project, err) < 0)
		return -err->code;
	return keeper_start(project, err);
}

static int send_request(struct client *client, struct error *err)
{
	return message_send(client->stream, client->request, client->fds, client->fd_count, err);
}

static int reconnect(struct client *client, struct error *err)
{
	struct error why = *err;
	int fd = -EPIPE;

	message_stream_free(client->stream);
	client->stream = NULL;
	while (client->tries++ < TRIES_MAX) {
		error_clear(err);
		fd = keeper_wait_connect(client->project, RECONNECT_USEC, err);
		/* Nobody starts it again: its keeper is gone as well. */
		if (fd == -ETIMEDOUT || fd == -ECHILD) {
			error_clear(err);
			if (client->start == CLIENT_NEVER_START)
				return error_set(err, ENOENT, "project %s: its keeper ended",
						 client->project);
			fd = keeper_start(client->project, err);
		}
		if (fd < 0)
			return fd;
		client->stream = message_stream_new(fd);
		client->reconnects++;
		if (send_request(client, err) >= 0)
			return 0;
		message_stream_free(client->stream);
		client->stream = NULL;
	}
	*err = why;
	return error_wrap(err, "project %s: its supervisor ends again and again", client->project);
}

static json_t *make_request(const char *request, const json_t *arguments)
{
	json_t *message = json_object();
	char id[33];

	fs_random_hex(id, 16);
	json_put_string(message, "request", request);
	json_put_string(message, "id", id);
	if (arguments)
		json_object_update_missing(message, (json_t *)arguments);
	return message;
}

int client_request(const char *project, enum client_start start, const char *request,
		   const json_t *arguments, const int *fds, size_t fd_count, struct client **ret,
		   struct error *err)
{
	_cleanup_(cleanup_client_free) struct client *client = new_array(struct client, 1);
	int fd, r;

	client->project = alloc_string(project);
	client->start = start;
	client->exit_code = 1;
	client->request = make_request(request, arguments);
	client->fd_count = fd_count;
	for (size_t i = 0; i < fd_count && i < FD_PASS_MAX; i++)
		client->fds[i] = fds[i];
	fd = open_connection(project, start, err);
	if (fd < 0)
		return fd;
	client->stream = message_stream_new(fd);
	r = send_request(client, err);
	if (r == -EPIPE)
		r = reconnect(client, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(client);
	return 0;
}

void client_free(struct client *client)
{
	if (!client)
		return;
	message_stream_free(client->stream);
	json_decref(client->request);
	free(client->project);
	free(client);
}

int client_fd(const struct client *client)
{
	return client->stream ? message_stream_fd(client->stream) : -EBADF;
}

static int replied_error(struct client *client, const json_t *message, struct error *err)
{
	const char *text = json_get_string(message, "message");
	const char *where = json_get_string(message, "where");
	int64_t code = json_get_int(message, "code", EIO);

	client->finished = true;
	client->exit_code = (int)json_get_int(message, "exit", 1);
	if (code <= 0 || code > 4095)
		code = EIO;
	error_set(err, (int)code, "%s", text ? text : "the supervisor refused");
	snprintf(err->where, sizeof(err->where), "%s", where ?: "");
	return -err->code;
}

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

int client_next(struct client *client, json_t **ret, int fds[FD_PASS_MAX], size_t *ret_fd_count,
		struct error *err)
{
	int received[FD_PASS_MAX];
	_cleanup_json_ json_t *message = NULL;
	const char *reply;
	size_t count;
	int r;

	*ret = NULL;
	if (ret_fd_count)
		*ret_fd_count = 0;
	if (client->finished || !client->stream)
		return error_set(err, EPIPE, "the request has ended");
	while ((r = message_receive(client->stream, &message, received, &count, err)) <= 0) {
		if (r != -EPIPE || client->stay)
			return r;
		r = reconnect(client, err);
		if (r < 0)
			return r;
		error_clear(err);
	}
	client->tries = 0;
	if (fds)
		memcpy(fds, received, count * sizeof(int));
	else
		close_all(received, count);
	if (ret_fd_count)
		*ret_fd_count = count;
	reply = json_get_string(message, "reply");
	if (str_equal(reply, "error"))
		return replied_error(client, message, err);
	*ret = TAKE_PTR(message);
	if (!reply)
		return 1;
	client->finished = true;
	return 0;
}

void client_tell(struct client *client, const json_t *message)
{
	struct error ignored = ERROR_INIT;

	/* client_next() meets the broken connection, too. */
	if (client->stream && !client->finished)
		(void)message_send(client->stream, message, NULL, 0, &ignored);
}

void client_stay(struct client *client)
{
	client->stay = true;
}

int client_exit_code(const struct client *client)
{
	return client->exit_code;
}

unsigned int client_reconnects(const struct client *client)
{
	return client->reconnects;
}

int client_call(const char *project, enum client_start start, const char *request,
		const json_t *arguments, json_t **ret, struct error *err)
{
	_cleanup_(cleanup_client_free) struct client *client = NULL;
	int r = client_request(project, start, request, arguments, NULL, 0, &client, err);

	while (r >= 0) {
		_cleanup_json_ json_t *message = NULL;

		r = client_next(client, &message, NULL, NULL, err);
		if (r != 0)
			continue;
		if (ret)
			*ret = TAKE_PTR(message);
		return 0;
	}
	return r;
}
