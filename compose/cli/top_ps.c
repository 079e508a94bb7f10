// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/top_ps.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/str.h"

#define OUTPUT_MAX (16 << 20)

extern char **environ;

static int start(char *const *options, int out, pid_t *ret, struct error *err)
{
	_cleanup_strv_ char **argv = NULL;
	posix_spawn_file_actions_t actions;
	int r;

	strv_append(&argv, "ps");
	strv_foreach(option, options)
		strv_append(&argv, option);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	r = posix_spawnp(ret, "ps", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r == ENOENT)
		return error_set(err, ENOENT,
				 "ps is not installed here (package procps); without options it is "
				 "not needed");
	return r ? error_code(err, -r, "run ps") : 0;
}

static int run_ps(char *const *options, char **ret, struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = {0};
	char buffer[65536];
	int ends[2], status = 0, r;
	pid_t pid;
	ssize_t n;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, "run ps");
	r = start(options, ends[1], &pid, err);
	close(ends[1]);
	while (r >= 0 && text.length < OUTPUT_MAX &&
	       (n = read(ends[0], buffer, sizeof(buffer))) > 0)
		strbuf_add_n(&text, buffer, (size_t)n);
	close(ends[0]);
	if (r < 0)
		return r;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	*ret = strbuf_take(&text);
	/* It said on stderr what it did not like; nobody to show is 1 and no failure. */
	if (!**ret)
		return error_set(err, EINVAL, "ps gives nothing for these options");
	return 0;
}

/* The words of a line; the last of @columns has all that is left. */
static char **split_line(char *line, size_t columns)
{
	char **words = NULL;

	for (size_t i = 0; i < columns; i++) {
		char *end;

		line += strspn(line, " ");
		end = i + 1 < columns ? line + strcspn(line, " ") : line + strlen(line);
		strv_take(&words, alloc_string_n(line, (size_t)(end - line)));
		line = end;
	}
	return words;
}

static bool is_one_of(const json_t *pids, const char *word)
{
	char *end;
	long long number = strtoll(word, &end, 10);
	const json_t *pid;
	size_t i;

	json_array_foreach(pids, i, pid)
		if (end != word && !*end && json_integer_value(pid) == number)
			return true;
	return false;
}

static void add_words(struct table *table, char *const *words)
{
	strv_foreach(word, words)
		table_add(table, word);
}

int top_ps_table(const char *said, const json_t *pids, struct table *ret, struct error *err)
{
	_cleanup_strv_ char **lines = strv_split(said, "\n"), **headings = NULL;
	size_t column = 0;

	headings = strv_split(lines && lines[0] ? lines[0] : "", " ");
	ret->columns = strv_length(headings);
	while (column < ret->columns && strcmp(headings[column], "PID") != 0)
		column++;
	if (column == ret->columns)
		return error_set(err, EINVAL,
				 "with these options ps has no column PID, by which "
				 "the container's processes are known");
	add_words(ret, headings);
	for (size_t i = 1; lines[i]; i++) {
		_cleanup_strv_ char **words = split_line(lines[i], ret->columns);

		if (is_one_of(pids, words[column]))
			add_words(ret, words);
	}
	return 0;
}

int top_ps(char *const *options, const json_t *pids, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	struct table table = {0};
	int r = run_ps(options, &text, err);

	if (r == 0)
		r = top_ps_table(text, pids, &table, err);
	if (r == 0)
		table_print(&table, 0, stdout);
	table_done(&table);
	return r;
}
