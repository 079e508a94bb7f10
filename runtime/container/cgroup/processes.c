// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Everybody in a group at once: list, signal, kill, freeze, move.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/str.h"

#include "runtime/container/cgroup/internal.h"

#define LIST_BYTES_MAX (64 << 20)
#define PASSES_MAX     50

/* The hierarchy that lists this container's processes: v2, else the first v1 of its own. */
static const char *listing_group(const struct cgroup *cgroup, int *ret_hierarchy)
{
	if (cgroup->v2) {
		*ret_hierarchy = cgroup->layout->v2.fd;
		return cgroup->v2;
	}
	for (int i = 0; i < CONTROLLER_COUNT; i++) {
		if (!cgroup->v1[i] || (i == CONTROLLER_DEVICES && cgroup->shared_devices))
			continue;
		*ret_hierarchy = cgroup->layout->v1[i].fd;
		return cgroup->v1[i];
	}
	return NULL;
}

/* Adds those in @group itself. */
static int list_one(int hierarchy, const char *group, pid_t **pids, size_t *count,
		    struct error *err)
{
	_cleanup_free_ char *name = str_printf("%s/cgroup.procs", group), *text = NULL;
	int r = fs_read(hierarchy, name, LIST_BYTES_MAX, &text, NULL, err);

	if (r < 0)
		return r;
	for (char *at = text; *at;) {
		char *end;
		long pid = strtol(at, &end, 10);

		if (end == at)
			break;
		if (pid > 0)
			*array_add(*pids, *count) = (pid_t)pid;
		at = end + strspn(end, "\n");
	}
	return 0;
}

/* And in those that the container made below it, which may go meanwhile. */
static int list(int hierarchy, const char *group, pid_t **ret_pids, size_t *ret_count,
		struct error *err)
{
	_cleanup_strv_ char **below = NULL;
	int r;

	*ret_pids = NULL;
	*ret_count = 0;
	r = list_one(hierarchy, group, ret_pids, ret_count, err);
	if (r < 0)
		return r;
	group_list_below(hierarchy, group, &below);
	strv_foreach(name, below) {
		struct error ignored = ERROR_INIT;

		(void)list_one(hierarchy, name, ret_pids, ret_count, &ignored);
	}
	return 0;
}

int cgroup_pids(struct cgroup *cgroup, pid_t **ret_pids, size_t *ret_count, struct error *err)
{
	int hierarchy;
	const char *group = listing_group(cgroup, &hierarchy);

	*ret_pids = NULL;
	*ret_count = 0;
	return group ? list(hierarchy, group, ret_pids, ret_count, err) : 0;
}

int cgroup_signal(struct cgroup *cgroup, int signal)
{
	_cleanup_free_ pid_t *pids = NULL;
	struct error err = ERROR_INIT;
	size_t count;
	int r = cgroup_pids(cgroup, &pids, &count, &err), first = 0;

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		if (kill(pids[i], signal) < 0 && errno != ESRCH && first == 0)
			first = -errno;
	return first;
}

/* Without cgroup.kill: again until a pass finds nobody that was not there in the pass before. */
static int kill_by_signals(struct cgroup *cgroup, struct error *err)
{
	size_t before = SIZE_MAX;

	for (int pass = 0; pass < PASSES_MAX; pass++) {
		_cleanup_free_ pid_t *pids = NULL;
		size_t count;
		int r = cgroup_pids(cgroup, &pids, &count, err);

		if (r < 0)
			return r;
		for (size_t i = 0; i < count; i++)
			(void)kill(pids[i], SIGKILL);
		if (!count || count >= before)
			return 0;
		before = count;
	}
	return 0;
}

int cgroup_kill(struct cgroup *cgroup, struct error *err)
{
	int r = cgroup->v2 ? group_write(cgroup->layout->v2.fd, cgroup->v2, "cgroup.kill", "1")
			   : -ENOENT;

	if (r < 0)
		r = kill_by_signals(cgroup, err);
	/* On v1 nobody dies while frozen. */
	if (cgroup->v1[CONTROLLER_FREEZER])
		(void)group_write(cgroup->layout->v1[CONTROLLER_FREEZER].fd,
				  cgroup->v1[CONTROLLER_FREEZER], "freezer.state", "THAWED");
	return r == -ENOENT ? 0 : r;
}

int cgroup_gather(struct cgroup *cgroup, int controller, struct error *err)
{
	int hierarchy = cgroup->layout->v1[controller].fd;
	const char *group = cgroup->v1[controller];

	for (int pass = 0; pass < PASSES_MAX; pass++) {
		_cleanup_free_ pid_t *all = NULL, *here = NULL;
		size_t all_count, here_count;
		char text[16];
		int r = cgroup_pids(cgroup, &all, &all_count, err);

		if (r == 0)
			r = list(hierarchy, group, &here, &here_count, err);
		if (r < 0)
			return r;
		if (here_count >= all_count)
			return 0;
		for (size_t i = 0; i < all_count; i++) {
			snprintf(text, sizeof(text), "%d", all[i]);
			(void)group_write(hierarchy, group, "cgroup.procs", text);
		}
	}
	return error_set(err, EAGAIN,
			 "control group %s/%s: it makes processes faster than they move",
			 cgroup->base, cgroup->id);
}

/*
 * The v1 freezer is joined when it is first needed: at birth it would cost each container its
 * time. Frozen first and filled then, so that who arrives cannot fork away.
 */
static int freeze_v1(struct cgroup *cgroup, bool frozen, struct error *err)
{
	int hierarchy = cgroup->layout->v1[CONTROLLER_FREEZER].fd, r;
	char **name = &cgroup->v1[CONTROLLER_FREEZER];

	if (cgroup->layout->none)
		return error_set(err, ENOTSUP,
				 "pause: no control group is delegated to this user (systemd's "
				 "user manager does, on cgroup v2)");
	if (hierarchy < 0)
		return error_set(err, ENOTSUP, "pause: this machine has no freezer for containers");
	if (!*name && !frozen)
		return 0;
	if (!*name) {
		char *group = str_printf("%s/%s", cgroup->base, cgroup->id);
		char *parent = str_printf("%s", cgroup->base);

		for (char *slash = parent; (slash = strchr(slash, '/')); slash++) {
			*slash = 0;
			(void)mkdirat(hierarchy, parent, 0755);
			*slash = '/';
		}
		(void)mkdirat(hierarchy, parent, 0755);
		free(parent);
		if (mkdirat(hierarchy, group, 0755) < 0 && errno != EEXIST) {
			free(group);
			return error_errno(err, "pause: make a freezer group");
		}
		*name = group;
	}
	r = group_write(hierarchy, *name, "freezer.state", frozen ? "FROZEN" : "THAWED");
	if (r < 0)
		return error_code(err, r, "%s", frozen ? "pause" : "unpause");
	return frozen ? cgroup_gather(cgroup, CONTROLLER_FREEZER, err) : 0;
}

int cgroup_freeze(struct cgroup *cgroup, bool frozen, struct error *err)
{
	int r;

	if (!cgroup->v2)
		return freeze_v1(cgroup, frozen, err);
	r = group_write(cgroup->layout->v2.fd, cgroup->v2, "cgroup.freeze", frozen ? "1" : "0");
	if (r < 0)
		return error_code(err, r, "%s", frozen ? "pause" : "unpause");
	return 0;
}
