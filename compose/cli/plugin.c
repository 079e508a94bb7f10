// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/str.h"

#define LINE_MAX_BYTES (1 << 20)
#define ANSWER_SECONDS 10

static const char *const folders[] = {
	"/usr/local/lib/docker/cli-plugins",
	"/usr/local/libexec/docker/cli-plugins",
	"/usr/lib/docker/cli-plugins",
	"/usr/libexec/docker/cli-plugins",
};

/* @path, if it can be run; else it is freed. */
static char *runnable(char *path)
{
	if (access(path, X_OK) == 0)
		return path;
	free(path);
	return NULL;
}

static char *find_plugin(const char *name)
{
	const char *config = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
	char *path = NULL;

	if (config && *config)
		path = runnable(str_printf("%s/cli-plugins/docker-%s", config, name));
	else if (home && *home)
		path = runnable(str_printf("%s/.docker/cli-plugins/docker-%s", home, name));
	for (size_t i = 0; !path && i < ARRAY_SIZE(folders); i++)
		path = runnable(str_printf("%s/docker-%s", folders[i], name));
	return path;
}

char *plugin_find(const char *name, bool plugin_only)
{
	const char *path = getenv("PATH");
	_cleanup_strv_ char **list = strv_split(path ? path : "/usr/local/bin:/usr/bin:/bin", ":");
	char *found;

	if (!*name || strchr(name, '/'))
		return NULL;
	found = find_plugin(name);
	if (found || plugin_only)
		return found;
	strv_foreach(folder, list)
		if (!found)
			found = runnable(str_printf("%s/%s", folder, name));
	return found;
}

struct plugin_reply {
	int fd;
};

int plugin_answer(struct plugin_reply *reply, const char *text, struct error *err)
{
	size_t length = strlen(text);

	while (length) {
		ssize_t n = send(reply->fd, text, length, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return 0;
		if (n < 0)
			return error_set(err, ETIMEDOUT,
					 "it does not read the answer it asked for");
		text += n;
		length -= (size_t)n;
	}
	return 0;
}

static int read_lines(int fd, const struct plugin_call *call, struct plugin_reply *reply,
		      struct error *err)
{
	_cleanup_free_ char *text = NULL;
	FILE *in = fdopen(fd, "r");
	size_t size = 0;
	ssize_t n;
	int r = 0;

	if (!in) {
		close(fd);
		return error_errno(err, "read from it");
	}
	while (r >= 0 && (n = getline(&text, &size, in)) >= 0) {
		if (n > LINE_MAX_BYTES)
			r = error_set(err, EMSGSIZE, "it wrote a line of more than %d bytes",
				      LINE_MAX_BYTES);
		else if (call->line)
			r = call->line(call->data, str_trim(text), reply, err);
	}
	fclose(in);
	return r;
}

static void be_plugin(const struct plugin_call *call, int input, int output)
{
	int null = call->quiet ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;

	(void)dup2(input, STDIN_FILENO);
	(void)dup2(output, STDOUT_FILENO);
	if (null >= 0)
		(void)dup2(null, STDERR_FILENO);
	execve(call->argv[0], call->argv, call->environment ? call->environment : environ);
	fprintf(stderr, "%s: %s\n", call->argv[0], strerror(errno));
	_exit(127);
}

int plugin_run(const struct plugin_call *call, struct error *err)
{
	static const struct timeval patience = {ANSWER_SECONDS, 0};
	int out[2], in[2], status = 0, r;
	struct plugin_reply reply;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) < 0) {
		r = error_errno(err, "make a socket");
		goto no_input;
	}
	(void)setsockopt(in[1], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		r = error_errno(err, "start %s", call->argv[0]);
		close(in[0]);
		close(in[1]);
		goto no_input;
	}
	if (pid == 0)
		be_plugin(call, in[0], out[1]);
	close(out[1]);
	close(in[0]);
	if (!call->asks)
		(void)shutdown(in[1], SHUT_WR);
	reply.fd = in[1];
	r = read_lines(out[0], call, &reply, err);
	close(in[1]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return r;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
no_input:
	close(out[0]);
	close(out[1]);
	return r;
}
