// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <pwd.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/str.h"

#include "compose/cli/rootless/rootless.h"

#define FILE_BYTES_MAX (4 << 20)
/* What the kernel takes, user_namespaces(7). */
#define RANGES_MAX 340

extern char **environ;

static void add_range(char ***words, unsigned long inside, unsigned long outside,
		      unsigned long count)
{
	strv_take(words, str_printf("%lu", inside));
	strv_take(words, str_printf("%lu", outside));
	strv_take(words, str_printf("%lu", count));
}

/* "alice:100000:65536" or "1000:100000:65536". */
static bool read_range(char *line, const char *user, unsigned int id, unsigned long *ret_first,
		       unsigned long *ret_count)
{
	const char *name = strsep(&line, ":"), *first = strsep(&line, ":");
	char *end;

	if (!line || !*name || !*first)
		return false;
	if (!str_equal(name, user) && (strtoul(name, &end, 10) != id || *end))
		return false;
	*ret_first = strtoul(first, &end, 10);
	if (*end)
		return false;
	*ret_count = strtoul(line, &end, 10);
	return (*end == 0 || *end == ' ') && *ret_count && *ret_first <= UINT32_MAX &&
	       *ret_count <= UINT32_MAX - *ret_first;
}

char **rootless_map_words(const char *text, const char *user, unsigned int id)
{
	_cleanup_free_ char *copy = alloc_string(text);
	unsigned long inside = 1, first, count;
	char **words = NULL, *line;
	size_t ranges = 1;

	add_range(&words, 0, id, 1);
	for (char *at = copy; (line = strsep(&at, "\n")) && ranges < RANGES_MAX;) {
		if (!read_range(line, user, id, &first, &count) || count > UINT32_MAX - inside)
			continue;
		add_range(&words, inside, first, count);
		inside += count;
		ranges++;
	}
	if (ranges > 1)
		return words;
	strv_free(words);
	return NULL;
}

static bool find_program(const char *program, char path[4096])
{
	const char *value = getenv("PATH");
	_cleanup_strv_ char **folders = strv_split(value ? value : "/usr/bin", ":");

	strv_foreach(folder, folders) {
		snprintf(path, 4096, "%s/%s", folder, program);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* Its word for it would be that it is not permitted. */
static void explain(const char *program, struct error *err)
{
	char path[4096];
	struct statvfs fs;
	struct stat st;

	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) {
		error_set(err, EPERM,
			  "%s cannot give this user its ids: we run with no_new_privs (a "
			  "container, or "
			  "a unit with NoNewPrivileges=)",
			  program);
		return;
	}
	if (!find_program(program, path) || stat(path, &st) < 0 || statvfs(path, &fs) < 0)
		return;
	if (fs.f_flag & ST_NOSUID)
		error_set(
			err, EPERM,
			"%s cannot give this user its ids: it is on a file system that is mounted "
			"nosuid",
			path);
	else if (!(st.st_mode & S_ISUID) && getxattr(path, "security.capability", NULL, 0) <= 0)
		error_set(err, EPERM,
			  "%s cannot give this user its ids: it has lost its setuid bit; as root: "
			  "chmod u+s %s",
			  path, path);
}

/* 0, or what @program said. */
static int run(const char *program, char *const words[], struct error *err)
{
	posix_spawn_file_actions_t actions;
	char said[256];
	pid_t child;
	int output[2], status = 0, r;
	ssize_t n;

	if (pipe2(output, O_CLOEXEC) < 0)
		return error_errno(err, "run %s", program);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, output[1], STDERR_FILENO);
	r = posix_spawnp(&child, program, &actions, NULL, words, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(output[1]);
	n = r == 0 ? fd_read_full(output[0], said, sizeof(said) - 1) : 0;
	close(output[0]);
	if (r == ENOENT)
		return error_set(err, ENOENT,
				 "%s is missing, which running as an ordinary user needs: install "
				 "the package uidmap (shadow-utils)",
				 program);
	if (r != 0)
		return error_code(err, r, "run %s", program);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	said[n > 0 ? n : 0] = 0;
	if (status == 0)
		return 0;
	error_set(err, EPERM, "%s refuses the ids of this user: %s", program, str_trim(said));
	explain(program, err);
	return -err->code;
}

static int map(const char *program, const char *file, const char *option, pid_t pid,
	       const char *user, unsigned int uid, unsigned int id, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_strv_ char **words = NULL, **command = NULL;

	if (fs_read(AT_FDCWD, file, FILE_BYTES_MAX, &text, NULL, err) < 0 && err->code != ENOENT)
		return -err->code;
	error_clear(err);
	/* Also /etc/subgid has user names and uids. */
	words = rootless_map_words(text ?: "", user, uid);
	if (!words)
		return error_set(err, EPERM,
				 "user %s has no ids for containers in %s; as root: usermod "
				 "%s 100000-165535 %s (or a range that is free there)",
				 user, file, option, user);
	free(words[1]);
	words[1] = str_printf("%u", id);
	strv_append(&command, program);
	strv_take(&command, str_printf("%d", pid));
	strv_foreach(word, words)
		strv_append(&command, word);
	return run(program, command, err);
}

int rootless_map_ids(pid_t pid, uid_t uid, gid_t gid, struct error *err)
{
	const struct passwd *entry = getpwuid(uid);
	_cleanup_free_ char *user =
		entry ? alloc_string(entry->pw_name) : str_printf("%u", (unsigned int)uid);
	int r = map("newuidmap", "/etc/subuid", "--add-subuids", pid, user, uid, uid, err);

	if (r < 0)
		return r;
	return map("newgidmap", "/etc/subgid", "--add-subgids", pid, user, uid, gid, err);
}
