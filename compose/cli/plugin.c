// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/plugin.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/str.h"

#define LINE_MAX_BYTES (1 << 20)

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

static int read_lines(int fd, plugin_line *line, void *data, struct error *err)
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
		else if (line)
			r = line(data, str_trim(text), err);
	}
	fclose(in);
	return r;
}

int plugin_run(char *const *argv, plugin_line *line, void *data, struct error *err)
{
	int pair[2], status = 0, r;
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		close(pair[0]);
		close(pair[1]);
		return error_errno(err, "start %s", argv[0]);
	}
	if (pid == 0) {
		(void)dup2(pair[1], STDOUT_FILENO);
		execv(argv[0], argv);
		fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	close(pair[1]);
	r = read_lines(pair[0], line, data, err);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return r;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
