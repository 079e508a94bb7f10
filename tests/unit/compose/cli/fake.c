// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/compose/cli/fake.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/command.h"
#include "compose/control/requests.h"
#include "compose/load/explain.h"
#include "compose/load/load.h"

#include "tests/support/scratch.h"

const char *fake_project;
char *fake_stdout, *fake_stderr;
static pid_t server;

int load_project(const struct load_options *options, struct project **ret, char **ret_report,
		 struct error *err)
{
	_cleanup_json_ json_t *json = NULL;
	int r;

	*ret_report = NULL;
	if (!fake_project)
		return error_set(err, ENOENT, "no configuration file provided: not found");
	r = json_parse(fake_project, strlen(fake_project), &json, err);
	return r < 0 ? r : project_from_json(json, ret, err);
}

bool load_finds_files(const struct load_options *options)
{
	return fake_project;
}

int load_project_name(const struct load_options *options, char **ret_name, struct error *err)
{
	*ret_name = alloc_string("p");
	return 0;
}

int load_model(const struct load_options *options, json_t **ret, char **ret_report,
	       struct error *err)
{
	return json_parse(fake_project, strlen(fake_project), ret, err);
}

int load_variables(const struct load_options *options, json_t **ret, char **ret_report,
		   struct error *err)
{
	*ret = json_pack("[{s:s, s:b, s:s, s:s}]", "name", "X", "required", 0, "default", "1",
			 "alternate", "");
	return 0;
}

int load_environment(const struct load_options *options, char ***ret, char **ret_report,
		     struct error *err)
{
	*ret = strv_dup((char *[]){(char *)"X=1", NULL});
	return 0;
}

void load_where(const struct load_options *options, char *const *path, char *ret, size_t size)
{
	snprintf(ret, size, "compose.yaml:3:5");
}

int load_explain(const struct load_options *options, const char *path, char **ret,
		 char **ret_report, struct error *err)
{
	*ret = str_printf("%s = 1\n", path);
	return 0;
}

void fake_setup(void)
{
	_cleanup_free_ char *root = str_printf("%s/root", scratch_path());
	_cleanup_free_ char *run = str_printf("%s/run", scratch_path());

	close(scratch_open());
	setenv("BERTH_ROOT", root, 1);
	setenv("BERTH_RUNTIME_DIR", run, 1);
	unsetenv("COMPOSE_PROJECT_NAME");
	mkdir(root, 0755);
}

void fake_reply(struct message_stream *stream, const char *json, const int *fds, size_t count)
{
	_cleanup_json_ json_t *message = json_loads(json, 0, NULL);
	struct error err = ERROR_INIT;

	if (!message)
		abort();
	(void)message_send(stream, message, fds, count, &err);
}

static void serve_all(int listener, fake_serve *serve)
{
	for (int index = 0;; index++) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), fds[FD_PASS_MAX];
		struct message_stream *stream = message_stream_new(fd);
		_cleanup_json_ json_t *request = NULL;
		struct error err = ERROR_INIT;
		size_t count = 0;

		if (message_receive(stream, &request, fds, &count, &err) == 1) {
			/* What a program would write to the streams that it was given. */
			if (count == 3)
				dprintf(fds[1], "from the container\n");
			serve(stream, request, index);
		}
		for (size_t i = 0; i < count; i++)
			close(fds[i]);
		message_stream_free(stream);
	}
}

void fake_supervisor(fake_serve *serve)
{
	_cleanup_free_ char *path = paths_project_runtime("p");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct error err = ERROR_INIT;

	close(fs_mkdir_path(path, 0700, &err));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock", path);
	(void)unlink(address.sun_path);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 64) < 0)
		abort();
	server = fork();
	if (server == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(20);
		serve_all(listener, serve);
	}
	close(listener);
}

void fake_supervisor_end(void)
{
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	server = 0;
}

void fake_done(void)
{
	fake_supervisor_end();
	free(fake_stdout);
	free(fake_stderr);
	fake_stdout = fake_stderr = NULL;
	scratch_remove();
}

static int open_stream(const char *name)
{
	_cleanup_free_ char *path = str_printf("%s/%s", scratch_path(), name);

	return open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

static void read_stream(int fd, char **ret)
{
	char *text = alloc_zero(1, 1 << 16);

	if (pread(fd, text, (1 << 16) - 1, 0) < 0)
		abort();
	close(fd);
	free(*ret);
	*ret = text;
}

int fake_berth(const char *args, const char *input)
{
	int in = open_stream("in"), out = open_stream("out"), err = open_stream("err"), status;
	_cleanup_free_ char *line = str_printf("berth %s", args);
	_cleanup_strv_ char **argv = strv_split(line, " ");
	pid_t pid;

	if (input && pwrite(in, input, strlen(input), 0) < 0)
		abort();
	pid = fork();
	if (pid == 0) {
		alarm(20);
		dup2(in, 0);
		dup2(out, 1);
		dup2(err, 2);
		status = command_main((int)strv_length(argv), argv);
		fflush(NULL);
		/* Without exit(): neither Criterion nor the leak checker are to run in here. */
		_exit(status);
	}
	waitpid(pid, &status, 0);
	close(in);
	read_stream(out, &fake_stdout);
	read_stream(err, &fake_stderr);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
