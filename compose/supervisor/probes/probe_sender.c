// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * probe_sender.c - whether a message on a container's notification socket came from that container.
 *
 * The socket is abstract: whoever shares the network namespace (network_mode: service:X, host) can
 * send there. The kernel says which process did (SCM_CREDENTIALS); a process in another pid
 * namespace cannot name one of ours, not even as root there.
 */
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/str.h"

#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/probes/probe_internal.h"

#define NESTED_MAX     33 /* pid namespaces in each other (pid_namespaces(7)) */
#define CGROUP_MAX     ((size_t)64 << 10)
#define PROC_NAME_SIZE 48

enum sender { SENDER_INSIDE, SENDER_OUTSIDE, SENDER_GONE };

static int open_pid_namespace(pid_t pid)
{
	char path[PROC_NAME_SIZE];

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static bool same_namespace(int a, int b)
{
	struct stat one, other;

	return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_ino == other.st_ino;
}

/* In the container's pid namespace, or in one that was made in it. */
static enum sender look_at_namespaces(int container, pid_t pid)
{
	_cleanup_close_ int at = open_pid_namespace(pid);

	if (at < 0)
		return SENDER_GONE;
	for (int i = 0; i < NESTED_MAX && at >= 0; i++) {
		int parent;

		if (same_namespace(at, container))
			return SENDER_INSIDE;
		parent = ioctl(at, NS_GET_PARENT);
		close(at);
		at = parent;
	}
	return SENDER_OUTSIDE;
}

static char *read_cgroups(pid_t pid)
{
	char path[PROC_NAME_SIZE], *text = NULL;
	struct error ignored = ERROR_INIT;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	return fs_read(AT_FDCWD, path, CGROUP_MAX, &text, NULL, &ignored) < 0 ? NULL : text;
}

/* Each line of @groups ("0::/berth/shop/x") leads to where @container's is, or below it. */
static bool is_below(char *groups, const char *container)
{
	char *line;

	while ((line = strsep(&groups, "\n"))) {
		size_t key = strcspn(line, "/"), length;
		const char *own = container;

		while (own && *own && strncmp(own, line, key) != 0)
			own = strchr(own, '\n') ? strchr(own, '\n') + 1 : NULL;
		if (!*line || !own || !*own)
			continue;
		length = strcspn(own, "\n");
		if (strncmp(line, own, length) != 0 ||
		    (length > key + 1 && line[length] && line[length] != '/'))
			return false;
	}
	return true;
}

/* With the pid namespace of another, or of the host: its control groups are its own. */
static enum sender look_at_groups(pid_t container, pid_t pid)
{
	_cleanup_free_ char *own = read_cgroups(container), *groups = read_cgroups(pid);

	if (!own || !groups)
		return SENDER_GONE;
	return is_below(groups, own) ? SENDER_INSIDE : SENDER_OUTSIDE;
}

static enum sender look_at(const struct instance *instance, pid_t pid)
{
	_cleanup_close_ int container = open_pid_namespace(instance->pid);
	const char *mode = instance->service->pid;

	if (container < 0 || pid <= 0)
		return SENDER_GONE;
	return mode && *mode ? look_at_groups(instance->pid, pid)
			     : look_at_namespaces(container, pid);
}

/* Whether others are where its socket is: it in theirs, or they in its. */
static bool shares_network(const struct instance *instance)
{
	_cleanup_free_ char *service = str_printf("service:%s", instance->service_name);
	_cleanup_free_ char *container = str_printf("container:%s", instance->name);
	const char *mode = instance->service->network_mode;

	if (mode && strcmp(mode, "none") != 0 && strcmp(mode, "bridge") != 0)
		return true;
	map_foreach(entry, &instance->supervisor->instances) {
		const struct instance *other = entry->value;

		mode = other->service ? other->service->network_mode : NULL;
		if (str_equal(mode, service) || str_equal(mode, container))
			return true;
	}
	return false;
}

bool probe_sender_is_inside(const struct instance *instance, pid_t pid)
{
	switch (look_at(instance, pid)) {
	case SENDER_INSIDE:
		return true;
	case SENDER_OUTSIDE:
		log_warning("%s: a notification of process %d is passed over, which is not one of "
			    "this container",
			    instance->name, (int)pid);
		return false;
	case SENDER_GONE:
		break;
	}
	/* It said so and ended at once: there where nobody else could have. */
	if (!shares_network(instance))
		return true;
	log_warning("%s: a notification is passed over: its sender has ended already, and others "
		    "share this container's network; let it live on until it is heard "
		    "(sd_notify_barrier(3))",
		    instance->name);
	return false;
}
