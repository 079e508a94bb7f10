// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/instance/start_stdio.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/log.h"

#include "compose/supervisor/keeper/keeper_client.h"
#include "compose/supervisor/logs/pump.h"

#define KINDS_MAX 4

static int make_pipe(struct stdio_pipe *ret, struct error *err)
{
	_cleanup_close_ int read_end = -EBADF, write_end = -EBADF;
	char path[FD_PATH_MAX];
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	read_end = pair[0];
	write_end = pair[1];
	/* Opened for both: a reader of its own keeps its writes from failing, whoever else reads.
	 */
	ret->theirs = open(fd_path(write_end, path), O_RDWR | O_CLOEXEC);
	if (ret->theirs < 0)
		return error_errno(err, "open a pipe for both");
	ret->ours = TAKE_FD(read_end);
	return 0;
}

void start_stdio_done(struct stdio *stdio)
{
	cleanup_close_fd(&stdio->out.ours);
	cleanup_close_fd(&stdio->out.theirs);
	cleanup_close_fd(&stdio->error.ours);
	cleanup_close_fd(&stdio->error.theirs);
	cleanup_close_fd(&stdio->in_ours);
	cleanup_close_fd(&stdio->in_theirs);
}

int start_stdio_make(struct instance *instance, struct stdio *stdio, struct container_spec *spec,
		     struct error *err)
{
	int pair[2];

	if (spec->terminal)
		return 0;
	if (instance->client[RUN_STDOUT] >= 0) {
		spec->stdin_fd = instance->client[RUN_STDIN];
		spec->stdout_fd = instance->client[RUN_STDOUT];
		spec->stderr_fd = instance->client[RUN_STDERR];
		return 0;
	}
	if (make_pipe(&stdio->out, err) < 0 || make_pipe(&stdio->error, err) < 0)
		return -err->code;
	spec->stdout_fd = stdio->out.theirs;
	spec->stderr_fd = stdio->error.theirs;
	if (instance->service->stdin_open != TRI_TRUE)
		return 0;
	if (pipe2(pair, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	stdio->in_theirs = pair[0];
	stdio->in_ours = pair[1];
	spec->stdin_fd = stdio->in_theirs;
	return 0;
}

int start_store(struct instance *instance, const char *const *kinds, const int *fds, size_t count)
{
	char names[KINDS_MAX][KEEPER_PORT_NAME_MAX];
	const char *list[KINDS_MAX];

	for (size_t i = 0; i < count; i++) {
		snprintf(names[i], sizeof(names[i]), "%s:%s", instance->id, kinds[i]);
		list[i] = names[i];
	}
	return keeper_client_store(instance->supervisor->keeper, list, fds, count);
}

int start_stdio_keep_client(struct instance *instance, struct error *err)
{
	static const char *const kinds[] = {"stdout", "rest-stdout", "stderr", "rest-stderr"};
	static const enum log_stream streams[] = {LOG_STDOUT, LOG_STDERR};
	const int *fds = &instance->client[RUN_LOG_STDOUT];
	size_t count = 0;
	int r;

	while (count < ARRAY_SIZE(kinds) && fds[count] >= 0)
		count++;
	r = count ? start_store(instance, kinds, fds, count) : 0;
	if (r < 0)
		return error_code(err, r, "hand its pipes to the keeper");
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		int *log = &instance->client[RUN_LOG_STDOUT + 2 * i];

		if (*log >= 0 &&
		    log_pump_add_stream(instance->log, TAKE_FD(*log), streams[i], err) < 0)
			return -err->code;
	}
	return 0;
}

int start_stdio_keep(struct instance *instance, struct stdio *stdio, struct error *err)
{
	static const char *const kinds[] = {"report", "stdout", "stderr", "stdin"};
	int fds[] = {instance->birth.report_fd, stdio->out.ours, stdio->error.ours, stdio->in_ours};
	size_t count = stdio->out.ours < 0 ? 1 : stdio->in_ours < 0 ? 3 : 4;
	int r = start_store(instance, kinds, fds, count);

	if (r < 0)
		return error_code(err, r, "hand its pipes to the keeper");
	if (stdio->out.ours < 0)
		return start_stdio_keep_client(instance, err);
	instance->stdin_fd = TAKE_FD(stdio->in_ours);
	if (log_pump_add_stream(instance->log, TAKE_FD(stdio->out.ours), LOG_STDOUT, err) < 0)
		return -err->code;
	return log_pump_add_stream(instance->log, TAKE_FD(stdio->error.ours), LOG_STDERR, err);
}

void start_stdio_born(struct instance *instance)
{
	for (size_t i = 0; i < RUN_FDS; i++) {
		/* What is left of one that was not born goes as well. */
		if (i > RUN_STDERR && instance->pid)
			break;
		cleanup_close_fd(&instance->client[i]);
		instance->client[i] = -EBADF;
	}
}

void start_stdio_end_output(struct instance *instance, enum log_stream stream)
{
	int *rest = &instance->client[stream == LOG_STDERR ? RUN_REST_STDERR : RUN_REST_STDOUT];
	char name[KEEPER_PORT_NAME_MAX];

	if (*rest < 0)
		return;
	cleanup_close_fd(rest);
	*rest = -EBADF;
	snprintf(name, sizeof(name), "%s:rest-%s", instance->id,
		 stream == LOG_STDERR ? "stderr" : "stdout");
	keeper_client_drop(instance->supervisor->keeper, name);
}

void start_stdio_without_client(struct instance *instance)
{
	static const char *const kinds[] = {"stdout", "stderr"};
	static const enum log_stream streams[] = {LOG_STDOUT, LOG_STDERR};
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		int rest = fd_dup(instance->client[RUN_REST_STDOUT + 2 * i]);

		if (rest < 0)
			continue;
		/* In this order: one of the two always has it. */
		(void)start_store(instance, &kinds[i], &rest, 1);
		start_stdio_end_output(instance, streams[i]);
		if (log_pump_add_stream(instance->log, rest, streams[i], &err) < 0)
			log_error("%s: its output is not logged: %s", instance->name, err.message);
	}
}

void start_stdio_end_input(struct instance *instance)
{
	char name[KEEPER_PORT_NAME_MAX];

	if (instance->stdin_fd < 0)
		return;
	cleanup_close_fd(&instance->stdin_fd);
	instance->stdin_fd = -EBADF;
	snprintf(name, sizeof(name), "%s:stdin", instance->id);
	keeper_client_drop(instance->supervisor->keeper, name);
}
