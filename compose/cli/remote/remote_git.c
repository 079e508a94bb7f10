// SPDX-License-Identifier: GPL-2.0-or-later
/* remote_git.c - Compose files of a repository: "URL#REF:FOLDER", by the git program. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/path.h"
#include "common/sha256.h"
#include "common/str.h"

#include "runtime/build/fetch.h"

#include "compose/cli/remote/remote_files.h"

#define ANSWER_MAX (1 << 20)
#define COMMIT_HEX 40

static char *address_of(const char *reference)
{
	return alloc_string_n(reference, strcspn(reference, "#"));
}

static bool is_commit(const char *ref)
{
	return strlen(ref) == COMMIT_HEX && strspn(ref, "0123456789abcdef") == COMMIT_HEX;
}

static void run_list(const char *url, const char *ref, int out)
{
	sigset_t none;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)setenv("GIT_TERMINAL_PROMPT", "0", 1);
	if (dup2(out, STDOUT_FILENO) < 0)
		_exit(126);
	execlp("git", "git", "ls-remote", "--exit-code", "--", url, ref, NULL);
	_exit(errno == ENOENT ? 127 : 126);
}

static void read_all(int fd, struct strbuf *answer)
{
	char buffer[4096];
	ssize_t n;

	while (answer->length < ANSWER_MAX &&
	       ((n = read(fd, buffer, sizeof(buffer))) > 0 || (n < 0 && errno == EINTR)))
		if (n > 0)
			strbuf_add_n(answer, buffer, (size_t)n);
}

/* What `git ls-remote` says of @ref; what it has to complain of goes to the user. */
static int list(const char *url, const char *ref, struct strbuf *answer, struct error *err)
{
	int pipe_fds[2], status = 0;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return error_errno(err, "start git");
	pid = fork();
	if (pid == 0)
		run_list(url, ref, pipe_fds[1]);
	close(pipe_fds[1]);
	if (pid > 0)
		read_all(pipe_fds[0], answer);
	close(pipe_fds[0]);
	if (pid < 0)
		return error_errno(err, "start git");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		return error_set(err, ENOENT, "the repository has no \"%s\"", ref);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return error_set(err, ENOENT,
				 "repositories are fetched by the git program, which is not "
				 "installed here");
	return error_set(err, EIO, "git ls-remote failed");
}

/* "main" is also said of refs/heads/x/main: the whole name counts. */
static char *commit_of(const char *answer, const char *ref)
{
	static const char *const places[] = {"", "refs/heads/", "refs/tags/", "refs/"};
	_cleanup_strv_ char **lines = answer ? strv_split(answer, "\n") : NULL;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *full = str_printf("%s%s", places[i], ref);

		for (size_t n = 0; lines && lines[n]; n++) {
			size_t digits = strspn(lines[n], "0123456789abcdef");

			if (digits == COMMIT_HEX && lines[n][digits] == '\t' &&
			    !strcmp(lines[n] + digits + 1, full))
				return alloc_string_n(lines[n], digits);
		}
	}
	return NULL;
}

static int find_commit(const char *url, const char *ref, char **ret, struct error *err)
{
	_cleanup_strbuf_ struct strbuf answer = {0};

	if (is_commit(ref)) {
		*ret = alloc_string(ref);
		return 0;
	}
	if (*ref == '-')
		return error_set(err, EINVAL, "'%.60s' is no name of a commit", ref);
	if (list(url, ref, &answer, err) < 0)
		return -err->code;
	*ret = commit_of(answer.data, ref);
	return *ret ? 0 : error_set(err, ENOENT, "the repository has no \"%s\"", ref);
}

int remote_git_resolve(struct remote_meaning *meaning, struct error *err)
{
	_cleanup_free_ char *url = address_of(meaning->reference), *ref = NULL, *commit = NULL;
	const char *fragment = strchr(meaning->reference, '#'), *colon;
	char hash[SHA256_HEX_SIZE];
	int r;

	if (fragment) {
		colon = strchr(++fragment, ':');
		ref = alloc_string_n(fragment, strcspn(fragment, ":"));
		meaning->within = colon ? path_clean_inside(colon + 1) : NULL;
	}
	r = find_commit(url, ref && *ref ? ref : "HEAD", &commit, err);
	if (r < 0)
		return r;
	/* The same commit may be in two repositories, of which one is not ours to read. */
	sha256_of(url, strlen(url), hash);
	meaning->name = str_printf("%s-%.12s", commit, hash);
	return 0;
}

int remote_git_fetch(const struct remote_meaning *meaning, const char *path, struct error *err)
{
	_cleanup_free_ char *url = address_of(meaning->reference);
	_cleanup_free_ char *commit = alloc_string_n(meaning->name, COMMIT_HEX);
	_cleanup_free_ char *source = str_printf("%s#%s", url, commit);

	return fetch_git(source, path, NULL, false, STDERR_FILENO, err);
}
