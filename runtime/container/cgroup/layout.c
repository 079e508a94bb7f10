// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/container/cgroup/layout.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/rootless.h"

#define TEXT_MAX (4 << 20)

static const char *const names[CONTROLLER_COUNT] = {
	[CONTROLLER_MEMORY] = "memory",   [CONTROLLER_CPU] = "cpu",
	[CONTROLLER_CPUACCT] = "cpuacct", [CONTROLLER_CPUSET] = "cpuset",
	[CONTROLLER_PIDS] = "pids",       [CONTROLLER_DEVICES] = "devices",
	[CONTROLLER_FREEZER] = "freezer", [CONTROLLER_BLKIO] = "blkio",
};

const char *controller_name(enum controller controller)
{
	return names[controller];
}

/* mountinfo writes blanks in paths as \040 and the like. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = 0;
}

/* @word in a list separated by commas. */
static bool listed(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (;;) {
		size_t n = strcspn(list, ",");

		if (n == length && memcmp(list, word, n) == 0)
			return true;
		if (!list[n])
			return false;
		list += n + 1;
	}
}

/*
 * One line: "36 31 0:33 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices". Only where the
 * whole hierarchy is mounted, not a part of it.
 */
static void take_mount(char *line, struct cgroup_layout *ret)
{
	char *fields[5], *at = line, *tail = strstr(line, " - "), *type, *options;
	int fd;

	if (!tail)
		return;
	*tail = 0;
	type = tail + 3;
	if (strncmp(type, "cgroup", 6) != 0)
		return;
	for (int i = 0; i < 5; i++) {
		fields[i] = strsep(&at, " ");
		if (!fields[i])
			return;
	}
	options = strrchr(type, ' ');
	unescape(fields[4]);
	fd = open(fields[4], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || !options)
		return;
	options++;
	if (strncmp(type, "cgroup2 ", 8) == 0) {
		if (ret->v2.fd < 0)
			ret->v2.fd = TAKE_FD(fd);
	} else {
		for (int i = 0; i < CONTROLLER_COUNT; i++)
			if (ret->v1[i].fd < 0 && listed(options, names[i]))
				ret->v1[i].fd = fd_dup(fd);
	}
	cleanup_close_fd(&fd);
}

/* What a user may make groups in was given to the user, by whoever did. */
static bool may_use(int root, const char *path)
{
	char place[FD_PATH_MAX + 300];

	snprintf(place, sizeof(place), "%s/cgroup.procs", path);
	return faccessat(root, path, W_OK, AT_EACCESS) == 0 &&
	       faccessat(root, place, W_OK, AT_EACCESS) == 0;
}

static bool is_delegated(int root, const char *path)
{
	char place[FD_PATH_MAX + 300], value[4];

	snprintf(place, sizeof(place), "/proc/self/fd/%d/%s", root, path);
	return getxattr(place, "trusted.delegate", value, sizeof(value)) == 1 ||
	       getxattr(place, "user.delegate", value, sizeof(value)) == 1;
}

/* An ordinary user's group has no mark that says where delegation begins, unless systemd made it.
 */
static void find_usable(struct hierarchy *h, char *path)
{
	char *slash = strrchr(path, '/');

	if (!*path || strlen(path) >= sizeof(h->prefix) - 1 || !may_use(h->fd, path))
		return;
	if (slash && !is_delegated(h->fd, path)) {
		bool is_ours = !strcmp(slash + 1, "supervisor");

		*slash = 0;
		if (!may_use(h->fd, path) || !(is_ours || is_delegated(h->fd, path)))
			*slash = '/';
	}
	snprintf(h->prefix, sizeof(h->prefix), "%s/", path);
}

/* Our own group, or (of a unit with DelegateSubgroup=) the one above it, if it is ours to use. */
static void find_delegated(struct hierarchy *h, char *path)
{
	char *slash;

	while (*path == '/')
		path++;
	if (rootless()) {
		find_usable(h, path);
		return;
	}
	for (int i = 0; *path && i < 2; i++) {
		if (strlen(path) < sizeof(h->prefix) - 1 && is_delegated(h->fd, path)) {
			snprintf(h->prefix, sizeof(h->prefix), "%s/", path);
			return;
		}
		slash = strrchr(path, '/');
		if (!slash)
			return;
		*slash = 0;
	}
}

/* "0::/user.slice/x" in /proc/self/cgroup: only v2 groups are delegated. */
static void take_own(char *self_cgroup, struct cgroup_layout *ret)
{
	for (char *line; (line = strsep(&self_cgroup, "\n"));)
		if (strncmp(line, "0::/", 4) == 0 && ret->v2.fd >= 0)
			find_delegated(&ret->v2, line + 3);
}

/* A hybrid machine may have left v2 the likes of hugetlb; what counts are those that limit. */
static bool has_controllers(int v2)
{
	char text[512];
	_cleanup_close_ int fd = openat(v2, "cgroup.controllers", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return false;
	text[n] = 0;
	return strstr(text, "memory") || strstr(text, "pids") || strstr(text, "cpu");
}

int cgroup_layout_parse(char *mountinfo, char *self_cgroup, struct cgroup_layout *ret,
			struct error *err)
{
	bool any;

	ret->v2 = (struct hierarchy){.fd = -EBADF};
	for (int i = 0; i < CONTROLLER_COUNT; i++)
		ret->v1[i] = (struct hierarchy){.fd = -EBADF};
	for (char *line; (line = strsep(&mountinfo, "\n"));)
		take_mount(line, ret);
	take_own(self_cgroup, ret);
	any = ret->v2.fd >= 0;
	for (int i = 0; i < CONTROLLER_COUNT; i++)
		any = any || ret->v1[i].fd >= 0;
	if (!any)
		return error_set(err, ENOENT, "control groups: none are mounted at /sys/fs/cgroup");
	ret->v2_controllers = ret->v2.fd >= 0 && has_controllers(ret->v2.fd);
	return 0;
}

/* An ordinary user has what was delegated to the user, or nothing: no groups then, no limits. */
static void keep_delegated(struct cgroup_layout *layout)
{
	for (int i = 0; i < CONTROLLER_COUNT; i++) {
		cleanup_close_fd(&layout->v1[i].fd);
		layout->v1[i].fd = -EBADF;
	}
	if (layout->v2.fd >= 0 && !layout->v2.prefix[0])
		close(TAKE_FD(layout->v2.fd));
	layout->none = layout->v2.fd < 0;
	layout->v2_controllers = layout->v2_controllers && !layout->none;
}

const struct cgroup_layout *cgroup_layout(struct error *err)
{
	static struct cgroup_layout layout;
	static bool found;
	_cleanup_free_ char *mountinfo = NULL, *own = NULL;

	if (found)
		return &layout;
	if (fs_read(AT_FDCWD, "/proc/self/mountinfo", TEXT_MAX, &mountinfo, NULL, err) < 0 ||
	    fs_read(AT_FDCWD, "/proc/self/cgroup", TEXT_MAX, &own, NULL, err) < 0 ||
	    (cgroup_layout_parse(mountinfo, own, &layout, err) < 0 && !rootless()))
		return NULL;
	if (rootless()) {
		error_clear(err);
		keep_delegated(&layout);
	}
	found = true;
	return &layout;
}
