// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Groups are made, and on v2 given controllers from the top down to theirs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/str.h"

#include "runtime/container/cgroup/internal.h"

#define CLEAR_TRIES 20

/* Another project may remove a shared parent meanwhile: try again. */
int group_make(int hierarchy, const char *group)
{
	char path[CGROUP_NAME_BYTES + 300];

	for (int attempt = 0; attempt < 100; attempt++) {
		if (mkdirat(hierarchy, group, 0755) == 0 || errno == EEXIST)
			return 0;
		if (errno != ENOENT)
			return -errno;
		if ((size_t)snprintf(path, sizeof(path), "%s", group) >= sizeof(path))
			return -ENAMETOOLONG;
		for (char *slash = path; (slash = strchr(slash, '/')); slash++) {
			*slash = 0;
			if (mkdirat(hierarchy, path, 0755) < 0 && errno != EEXIST &&
			    errno != ENOENT)
				return -errno;
			*slash = '/';
		}
	}
	return -ENOENT;
}

bool group_exists(int hierarchy, const char *group)
{
	return hierarchy >= 0 && faccessat(hierarchy, group, F_OK, 0) == 0;
}

void group_list_below(int hierarchy, const char *group, char ***ret)
{
	_cleanup_strv_ char **names = NULL;
	struct error ignored = ERROR_INIT;
	struct stat st;

	/* A directory has a link of each directory in it: mostly there is none, and no need to
	 * look. */
	if (hierarchy < 0 || fstatat(hierarchy, group, &st, 0) < 0 || st.st_nlink <= 2 ||
	    fs_list(hierarchy, group, &names, &ignored) < 0)
		return;
	strv_foreach(name, names) {
		_cleanup_free_ char *path = str_printf("%s/%s", group, name);

		if (fstatat(hierarchy, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
			continue;
		strv_append(ret, path);
		group_list_below(hierarchy, path, ret);
	}
}

/* v2 says "no internal processes": who sits in @group moves to a leaf of it. */
static void clear_group(int v2, const char *group)
{
	char leaf[CGROUP_NAME_BYTES + 320], pids[65536], *at = pids;

	snprintf(leaf, sizeof(leaf), "%s/supervisor", group);
	if (mkdirat(v2, leaf, 0755) < 0 && errno != EEXIST)
		return;
	if (group_read(v2, group, "cgroup.procs", pids, sizeof(pids)) <= 0)
		return;
	for (char *pid; (pid = strsep(&at, "\n"));)
		if (*pid)
			(void)group_write(v2, leaf, "cgroup.procs", pid);
}

/* Who forks meanwhile leaves one more in it. */
static void enable_controller(int v2, const char *group, const char *controller)
{
	for (int i = 0; i < CLEAR_TRIES; i++) {
		if (group_write(v2, group, "cgroup.subtree_control", controller) != -EBUSY)
			return;
		clear_group(v2, group);
	}
}

/* Each on its own: one that is missing here must not take the others with it. */
static void enable_controllers(int v2, const char *group)
{
	static const char *const wanted[] = {"+memory", "+pids", "+cpu", "+cpuset", "+io"};
	char now[256] = "";

	(void)group_read(v2, group, "cgroup.subtree_control", now, sizeof(now));
	array_foreach(controller, wanted) {
		if (strstr(now, *controller + 1) &&
		    strcmp(*controller, "+cpu") != 0) /* a part of "cpuset" */
			continue;
		enable_controller(v2, group, *controller);
	}
}

/* From the top (or the delegated group) down to BASE, once for each BASE. */
void enable_path(const struct cgroup *cgroup)
{
	static char *done;
	const struct hierarchy *v2 = &cgroup->layout->v2;
	char path[CGROUP_NAME_BYTES + 300];
	size_t skip = strlen(cgroup->prefix);

	snprintf(path, sizeof(path), "%s%s", cgroup->prefix, cgroup->base);
	if (cgroup->elsewhere) {
		enable_controllers(v2->fd, path);
		return;
	}
	if (done && strcmp(done, path) == 0 && group_exists(v2->fd, path))
		return;
	free(done);
	done = alloc_string(path);
	if (group_make(v2->fd, path) < 0)
		return;
	if (skip) {
		path[skip - 1] = 0;
		enable_controllers(v2->fd, path);
		path[skip - 1] = '/';
	} else {
		enable_controllers(v2->fd, ".");
	}
	for (char *slash = path + skip; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		enable_controllers(v2->fd, path);
		*slash = '/';
	}
	enable_controllers(v2->fd, path);
}
