// SPDX-License-Identifier: GPL-2.0-or-later
/* `berth login` and `berth logout`: docker's, on the same config.json. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fd.h"
#include "common/str.h"

#include "runtime/image/registry.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/command.h"
#include "compose/cli/view/output.h"

#define SECRET_MAX (64 << 10)

static const char *username, *password;
static bool password_stdin;

static const struct option options[] = {
	{"password", 'p', OPTION_STRING, &password, "string", "Password or token"},
	{"password-stdin", 0, OPTION_FLAG, &password_stdin, NULL,
	 "Take the password from standard input"},
	{"username", 'u', OPTION_STRING, &username, "string", "User name"},
	{NULL},
};

/* All of stdin without the line's end, as new string. */
static int read_stdin(char **ret, struct error *err)
{
	char *buffer = new_array(char, SECRET_MAX + 1);
	ssize_t n = fd_read_full(STDIN_FILENO, buffer, SECRET_MAX + 1);

	if (n < 0 || n > SECRET_MAX || memchr(buffer, '\0', (size_t)n)) {
		free(buffer);
		return n < 0 ? error_code(err, (int)n, "read the password")
			     : error_set(err, EINVAL, "what stdin gives is no password");
	}
	buffer[n] = '\0';
	while (n && (buffer[n - 1] == '\n' || buffer[n - 1] == '\r'))
		buffer[--n] = '\0';
	*ret = buffer;
	return 0;
}

/* A line from the terminal; a password is not shown. */
static int ask(const char *question, bool secret, char **ret, struct error *err)
{
	struct termios before, silent;
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	fputs(question, stderr);
	if (secret && tcgetattr(STDIN_FILENO, &before) == 0) {
		silent = before;
		silent.c_lflag &= ~(tcflag_t)ECHO;
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	}
	n = getline(&line, &room, stdin);
	if (secret) {
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fputc('\n', stderr);
	}
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		line[--n] = '\0';
	if (n <= 0) {
		free(line);
		return error_set(err, EINVAL, "%s required", secret ? "password" : "username");
	}
	*ret = line;
	return 0;
}

static int gather(struct auth_credentials *ret, struct error *err)
{
	if (password && password_stdin)
		return error_set(err, EINVAL,
				 "conflicting options: cannot specify both --password and "
				 "--password-stdin");
	if (password_stdin && !(username && *username))
		return error_set(err, EINVAL,
				 "the --password-stdin option requires --username to be set");
	if (password)
		output_warn("--password is seen by whoever lists processes; --password-stdin is "
			    "not");
	if (!(username && password) && !password_stdin && !isatty(STDIN_FILENO))
		return error_set(err, EINVAL,
				 "there is no terminal to ask on: use --username and "
				 "--password-stdin");
	if (username && *username)
		ret->username = alloc_string(username);
	else if (ask("Username: ", false, &ret->username, err) < 0)
		return -err->code;
	if (password_stdin)
		return read_stdin(&ret->password, err);
	if (!password)
		return ask("Password: ", true, &ret->password, err);
	ret->password = alloc_string(password);
	return 0;
}

/* Whether the registry takes them; what it gives instead of the password is kept instead of it. */
static int try(const char *name, struct auth_credentials *credentials, struct error *err)
{
	struct registry *registry = NULL;
	struct registry_request *request;
	const char *token;
	int r = registry_open(&registry, err);

	if (r < 0)
		return r;
	registry_set_credentials(registry, name, credentials);
	request = registry_request_new(registry, name, NULL, "GET", "v2/");
	r = registry_call(request, err);
	token = registry_identity_token(registry, name);
	if (r == 0 && token)
		credentials->identity_token = alloc_string(token);
	/* Meant for who has none yet; here it is they that are wrong. */
	if (r == -EACCES)
		error_set(err, EACCES, "registry %s: unauthorized: incorrect username or password",
			  name);
	registry_request_free(request);
	registry_close(registry);
	return r;
}

/* 1: those that are stored are good, 0: there are none, or they are not. */
static int try_stored(const char *name, struct error *err)
{
	struct auth_credentials stored = {0};
	int r;

	if (username || password || password_stdin)
		return 0;
	r = auth_find(name, &stored, err);
	if (r > 0 && stored.username) {
		fprintf(stderr, "Authenticating with existing credentials... [Username: %s]\n",
			stored.username);
		r = try(name, &stored, err);
		if (r == 0)
			r = 1;
	} else if (r > 0) {
		r = 0;
	}
	auth_credentials_done(&stored);
	if (r == -EACCES && isatty(STDIN_FILENO)) {
		fprintf(stderr, "%s\n", err->message);
		error_clear(err);
		return 0;
	}
	return r;
}

static int login(struct project_args *args, int argc, char **argv)
{
	_cleanup_free_ char *name = auth_registry_of(argc ? argv[0] : REGISTRY_HUB);
	_cleanup_free_ char *helper = NULL, *path = NULL;
	struct auth_credentials credentials = {0};
	struct error err = ERROR_INIT;
	int r = try_stored(name, &err);

	if (r > 0) {
		puts("Login Succeeded");
		return 0;
	}
	if (r == 0)
		r = gather(&credentials, &err);
	if (r == 0 && !credentials.password[0])
		r = error_set(&err, EINVAL, "password is empty");
	if (r == 0)
		r = try(name, &credentials, &err);
	if (r == 0)
		r = auth_store(name, &credentials, &helper, &path, &err);
	auth_credentials_done(&credentials);
	if (r < 0)
		return output_fail(args, &err);
	if (!helper)
		output_warn("the credentials are in %s, readable for whoever is root or you; a "
			    "\"credsStore\" there keeps them elsewhere",
			    path);
	puts("Login Succeeded");
	return 0;
}

static int logout(struct project_args *args, int argc, char **argv)
{
	_cleanup_free_ char *name = auth_registry_of(argc ? argv[0] : REGISTRY_HUB);
	struct error err = ERROR_INIT;
	int r = auth_erase(name, &err);

	if (r < 0)
		return output_fail(args, &err);
	if (r)
		printf("Removing login credentials for %s\n", auth_key(name));
	else
		printf("Not logged in to %s\n", auth_key(name));
	return 0;
}

const struct command command_login = {
	.name = "login",
	.operands = "[OPTIONS] [SERVER]",
	.summary = "Store credentials for a registry",
	.options = options,
	.max_operands = 1,
	.outside = true,
	.run = login,
};

const struct command command_logout = {
	.name = "logout",
	.operands = "[SERVER]",
	.summary = "Forget the credentials for a registry",
	.max_operands = 1,
	.outside = true,
	.run = logout,
};
