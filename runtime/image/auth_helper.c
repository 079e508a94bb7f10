// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/auth_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/str.h"

#define ANSWER_MAX (1 << 20)
#define TOKEN_USER "<token>" /* the secret is an identity token then */
#define NOT_FOUND  "credentials not found in native keychain"
#define NO_PROGRAM 127

static void run_program(const char *program, const char *action, int in, int out)
{
	sigset_t none;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(NO_PROGRAM);
	execlp(program, program, action, NULL);
	_exit(NO_PROGRAM);
}

static int read_answer(int fd, struct strbuf *answer, struct error *err)
{
	char buffer[4096];
	ssize_t n;

	while ((n = fd_read_full(fd, buffer, sizeof(buffer))) > 0) {
		if (answer->length + (size_t)n > ANSWER_MAX)
			return error_set(err, EFBIG, "it says too much");
		strbuf_add_n(answer, buffer, (size_t)n);
	}
	return n < 0 ? error_code(err, (int)n, "read its answer") : 0;
}

/* Its input is small enough for the pipe to hold it whole. */
static int talk(const char *program, const char *action, const char *input, struct strbuf *answer,
		int *ret_status, struct error *err)
{
	int to[2], from[2], r;
	pid_t pid;

	if (strlen(input) > PIPE_BUF)
		return error_set(err, EFBIG, "the credentials are too long for it");
	if (pipe2(to, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	if (pipe2(from, O_CLOEXEC) < 0) {
		r = error_errno(err, "make a pipe");
		close(to[0]);
		close(to[1]);
		return r;
	}
	r = fd_write_all(to[1], input, strlen(input));
	close(to[1]);
	pid = r < 0 ? -1 : fork();
	if (pid == 0)
		run_program(program, action, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	r = pid < 0 ? error_errno(err, "start it") : read_answer(from[0], answer, err);
	close(from[0]);
	while (pid > 0 && waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		;
	return r;
}

/* 1: it did, with an answer; 0: it has no such credentials. */
static int call(const char *helper, const char *action, const char *input, struct strbuf *answer,
		struct error *err)
{
	_cleanup_free_ char *program = str_printf("docker-credential-%s", helper);
	int status = 0, r;

	/* It becomes part of a program's name. */
	if (!helper[0] || strchr(helper, '/'))
		return error_set(err, EINVAL, "credential helper '%.60s': not a valid name",
				 helper);
	r = talk(program, action, input, answer, &status, err);
	if (r < 0)
		return error_wrap(err, "credential helper %s", program);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_PROGRAM && !answer->length)
		return error_set(err, ENOENT,
				 "credential helper %s, which config.json names: it is not in "
				 "$PATH; install it, or remove it from the file",
				 program);
	strbuf_addc(answer, '\0');
	str_trim(answer->data);
	if (strstr(answer->data, NOT_FOUND))
		return 0;
	return error_set(err, EACCES, "credential helper %s: %.200s", program,
			 answer->data[0] ? answer->data : "it failed without saying why");
}

int auth_helper_get(const char *helper, const char *server, struct auth_credentials *ret,
		    struct error *err)
{
	_cleanup_strbuf_ struct strbuf answer = {0};
	_cleanup_json_ json_t *json = NULL;
	const char *username, *secret;
	int r = call(helper, "get", server, &answer, err);

	if (r <= 0)
		return r;
	if (json_parse(answer.data ? answer.data : "", answer.length, &json, err) < 0)
		return error_wrap(err, "credential helper docker-credential-%s", helper);
	username = json_get_string(json, "Username");
	secret = json_get_string(json, "Secret");
	if (!username || !secret)
		return error_set(err, EBADMSG,
				 "credential helper docker-credential-%s: its answer has no "
				 "Username or no Secret",
				 helper);
	if (strcmp(username, TOKEN_USER) == 0) {
		ret->identity_token = alloc_string(secret);
	} else {
		ret->username = alloc_string(username);
		ret->password = alloc_string(secret);
	}
	return 1;
}

int auth_helper_store(const char *helper, const char *server,
		      const struct auth_credentials *credentials, struct error *err)
{
	const char *token = credentials->identity_token;
	_cleanup_strbuf_ struct strbuf answer = {0};
	_cleanup_json_ json_t *json = json_object();
	_cleanup_free_ char *text = NULL;
	int r;

	json_put_string(json, "ServerURL", server);
	json_put_string(json, "Username", token ? TOKEN_USER : credentials->username);
	json_put_string(json, "Secret", token ? token : credentials->password);
	text = json_text(json);
	r = call(helper, "store", text, &answer, err);
	return r < 0 ? r : 0;
}

int auth_helper_erase(const char *helper, const char *server, struct error *err)
{
	_cleanup_strbuf_ struct strbuf answer = {0};

	return call(helper, "erase", server, &answer, err);
}
