// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/systemd/systemd_cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/rootless.h"
#include "common/str.h"

#define MOUNT          "/sys/fs/cgroup"
#define DEPTH_MAX      16
#define TEXT_BYTES_MAX (1 << 20)

/*
 * The directory of a process's group (0: ours), of the unified hierarchy mounted as systemd does;
 * NULL: there is none.
 */
static char *group_of(pid_t pid)
{
	_cleanup_free_ char *text = NULL, *file = str_printf("/proc/%d/cgroup", pid ?: getpid());
	struct error ignored = ERROR_INIT;
	char *line;

	if (fs_read(AT_FDCWD, file, TEXT_BYTES_MAX, &text, NULL, &ignored) < 0)
		return NULL;
	for (char *at = text; (line = strsep(&at, "\n"));)
		if (str_starts_with(line, "0::/"))
			return str_printf(MOUNT "%s", line + 3);
	return NULL;
}

static bool is_delegated(const char *path)
{
	char value[4];

	if (rootless() && access(path, W_OK) < 0)
		return false;
	return getxattr(path, "trusted.delegate", value, sizeof(value)) == 1 ||
	       getxattr(path, "user.delegate", value, sizeof(value)) == 1;
}

/* A user's systemd, before 253, marks nothing: but units that we wrote ask for it. */
static bool is_own_unit(const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	return str_starts_with(name, "berth@") && str_ends_with(name, ".service") &&
	       access(path, W_OK) == 0;
}

/* Cuts @path to the delegated group that it is, or is in. */
static bool find_delegated(char *path)
{
	for (int i = 0; i < 2 && strlen(path) > strlen(MOUNT); i++) {
		if (is_delegated(path) || is_own_unit(path))
			return true;
		*strrchr(path, '/') = 0;
	}
	return false;
}

bool systemd_cgroup_has(pid_t pid)
{
	_cleanup_free_ char *path = group_of(0), *other = group_of(pid);

	if (!path || !other || !find_delegated(path) || !str_starts_with(other, path))
		return false;
	return other[strlen(path)] == '/' || !other[strlen(path)];
}

bool systemd_cgroup_delegated(void)
{
	_cleanup_free_ char *path = group_of(0);

	return path && find_delegated(path);
}

/* One write may name several, but fails as a whole. */
static void take_controllers(int group)
{
	_cleanup_free_ char *text = NULL;
	struct error ignored = ERROR_INIT;
	char *word;

	if (fs_read(group, "cgroup.subtree_control", TEXT_BYTES_MAX, &text, NULL, &ignored) < 0)
		return;
	for (char *at = text; (word = strsep(&at, " \n"));) {
		_cleanup_free_ char *request = str_printf("-%s", word);

		if (*word)
			(void)fs_write_knob(group, "cgroup.subtree_control", request);
	}
}

/* From the bottom up: no group may have what the one above it does not give. */
static void open_up(int group, int depth)
{
	_cleanup_strv_ char **names = NULL;
	struct error ignored = ERROR_INIT;

	if (depth < DEPTH_MAX && fs_list(group, ".", &names, &ignored) >= 0) {
		strv_foreach(name, names) {
			int child = openat(group, name,
					   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			if (child < 0)
				continue;
			open_up(child, depth + 1);
			close(child);
		}
	}
	take_controllers(group);
}

int systemd_cgroup_open_up(struct error *err)
{
	_cleanup_free_ char *path = group_of(0);
	_cleanup_close_ int group = -EBADF;

	if (!path || !find_delegated(path))
		return 0;
	group = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (group < 0)
		return error_errno(err, "open %s", path);
	open_up(group, 0);
	return 0;
}
