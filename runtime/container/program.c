// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The working directory, and the program's file with Docker's words and exit codes when there is
 * none: 127 not found, 126 cannot be executed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/rootpath.h"

#include "runtime/container/birth.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *cwd_of(const struct newborn *self)
{
	const char *cwd = self->spec->cwd;

	return cwd && *cwd ? cwd : "/";
}

/*
 * As root, who makes it when it is missing, but not for an exec. Magic links are not followed: a
 * cwd of /proc/self/fd/N would lead out of the root (CVE-2024-21626).
 */
int program_cwd(struct newborn *self, struct error *err)
{
	const char *cwd = cwd_of(self);
	_cleanup_close_ int fd = -EBADF;

	if (cwd[0] != '/')
		return error_set(err, EINVAL, "working directory '%s': must be an absolute path",
				 cwd);
	fd = rootpath_open_raw(self->root_fd, cwd, O_PATH | O_DIRECTORY, 0);
	if (fd == -EACCES)
		return 0;
	if (fd == -ENOENT && self->plan->exec)
		self->exit_status = 127;
	else if (fd == -ENOENT)
		fd = rootpath_make_target(self->root_fd, cwd, 1, err);
	if (fd < 0)
		return error_code(err, fd, "working directory %s", cwd);
	if (fchdir(fd) == 0)
		self->in_cwd = true;
	else if (errno != EACCES)
		return error_errno(err, "working directory %s", cwd);
	return 0;
}

/* A directory of a network file system may be closed to root and open to the user. */
int program_cwd_as_user(struct newborn *self, struct error *err)
{
	const char *cwd = cwd_of(self);
	_cleanup_close_ int fd = -EBADF;

	if (self->in_cwd)
		return 0;
	fd = rootpath_open_raw(self->root_fd, cwd, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return error_code(err, fd, "working directory %s", cwd);
	if (fchdir(fd) < 0)
		return error_errno(err, "working directory %s", cwd);
	return 0;
}

/* 0, or why @path cannot be executed, as errno. */
static int check_executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	if (!S_ISREG(st.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
		return EACCES;
	return 0;
}

static int refuse(struct newborn *self, const char *name, int code, struct error *err)
{
	self->exit_status = code == ENOENT || code == ENOTDIR ? 127 : 126;
	if (code == ENOENT)
		return error_set(err, code, "exec: \"%s\": stat %s: no such file or directory",
				 name, name);
	if (code == ENOTDIR)
		return error_set(err, code, "exec: \"%s\": stat %s: not a directory", name, name);
	if (code == EISDIR)
		return error_set(err, code, "exec: \"%s\": is a directory", name);
	if (code == EACCES)
		return error_set(err, code, "exec: \"%s\": permission denied", name);
	return error_code(err, code, "exec: \"%s\"", name);
}

static const char *path_of(const struct newborn *self)
{
	for (size_t i = 0; i < self->plan->env_count; i++)
		if (strncmp(self->plan->env[i], "PATH=", 5) == 0)
			return self->plan->env[i] + 5;
	return PATH_DEFAULT;
}

static int search(struct newborn *self, const char *name, struct error *err)
{
	const char *at = path_of(self);
	int seen = ENOENT;

	for (;;) {
		int n = (int)strcspn(at, ":"), code;

		if (snprintf(self->program, sizeof(self->program), "%.*s%s%s", n, at,
			     n ? "/" : "./", name) < (int)sizeof(self->program)) {
			code = check_executable(self->program);
			if (code == 0)
				return 0;
			if (code == EACCES)
				seen = code;
		}
		if (!at[n])
			break;
		at += n + 1;
	}
	if (seen == EACCES)
		return refuse(self, name, seen, err);
	self->exit_status = 127;
	return error_set(err, ENOENT, "exec: \"%s\": executable file not found in $PATH", name);
}

int program_find(struct newborn *self, struct error *err)
{
	const char *name = self->spec->args ? self->spec->args[0] : NULL;
	int code;

	if (!name || !*name) {
		self->exit_status = 127;
		return error_set(err, ENOENT, "exec: no command specified");
	}
	if (!strchr(name, '/'))
		return search(self, name, err);
	if ((size_t)snprintf(self->program, sizeof(self->program), "%s", name) >=
	    sizeof(self->program))
		return refuse(self, name, ENAMETOOLONG, err);
	code = check_executable(name);
	return code ? refuse(self, name, code, err) : 0;
}
