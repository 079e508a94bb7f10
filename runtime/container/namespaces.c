// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/process.h"
#include "common/rootless.h"

#include "runtime/container/birth.h"

static int join(const struct namespace_spec *ns, int type, const char *name, struct error *err)
{
	if (ns->source != NAMESPACE_JOIN)
		return 0;
	if (setns(ns->fd, type) < 0)
		return error_errno(err, "join the %s namespace of another container", name);
	return 0;
}

/*
 * clone3 made the new ones, but for two: a cgroup namespace has its root where its maker is, and
 * the mount namespace comes when the overlay stands (rootfs.c).
 */
int namespaces_enter(struct newborn *self, struct error *err)
{
	const struct container_spec *spec = self->spec;
	int r;

	r = join(&spec->network, CLONE_NEWNET, "network", err);
	if (r < 0)
		return r;
	r = join(&spec->ipc, CLONE_NEWIPC, "ipc", err);
	if (r < 0)
		return r;
	r = join(&spec->uts, CLONE_NEWUTS, "uts", err);
	if (r < 0)
		return r;
	r = join(&spec->cgroup, CLONE_NEWCGROUP, "cgroup", err);
	if (r < 0)
		return r;
	if (spec->cgroup.source == NAMESPACE_NEW && unshare(CLONE_NEWCGROUP) < 0)
		return error_errno(err, "make a cgroup namespace");
	return 0;
}

static bool is_ours(pid_t pid, const char *kind)
{
	char path[48];
	struct stat theirs, ours;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, kind);
	if (stat(path, &theirs) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	return stat(path, &ours) == 0 && ours.st_ino == theirs.st_ino;
}

int namespaces_of_container(int pidfd, bool time)
{
	static const struct {
		int flag;
		const char *kind;
	} kinds[] = {
		{CLONE_NEWNS, "mnt"},  {CLONE_NEWNET, "net"},   {CLONE_NEWUTS, "uts"},
		{CLONE_NEWIPC, "ipc"}, {CLONE_NEWTIME, "time"}, {CLONE_NEWCGROUP, "cgroup"},
	};
	pid_t pid = rootless() ? process_pidfd_pid(pidfd) : 0;
	int flags = 0;

	array_foreach(row, kinds) {
		if (row->flag == CLONE_NEWTIME && !time)
			continue;
		/* To join what is ours is harmless, and cheap; but the host's take root there. */
		if (pid <= 0 || !(row->flag == CLONE_NEWNET ? rootless_is_on_host(pidfd)
							    : is_ours(pid, row->kind)))
			flags |= row->flag;
	}
	return flags;
}

/* exec: all that the container has. */
int namespaces_enter_container(struct newborn *self, struct error *err)
{
	if (setns(self->plan->container_pidfd, self->plan->join) < 0)
		return error_errno(err, "enter the container");
	self->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (self->root_fd < 0)
		return error_errno(err, "open the container's root");
	return 0;
}

static int loopback_up(struct error *err)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_errno(err, "open a socket for the loopback interface");
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return error_errno(err, "bring the loopback interface up");
	return 0;
}

int namespaces_network(struct newborn *self, struct error *err)
{
	const struct container_spec *spec = self->spec;

	if (spec->network_hook)
		return spec->network_hook(spec->network_data, self->network_fds,
					  &self->network_fd_count, err);
	if (spec->network.source == NAMESPACE_NEW)
		return loopback_up(err);
	return 0;
}

static int write_sysctl(int proc_fd, const struct sysctl_spec *sysctl, struct error *err)
{
	_cleanup_close_ int dir = openat(proc_fd, "sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = -EBADF;
	size_t size = strlen(sysctl->value);

	if (dir < 0)
		return error_errno(err, "open /proc/sys");
	fd = openat(dir, sysctl->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_errno(err, "sysctl %s", sysctl->path);
	if (write(fd, sysctl->value, size) != (ssize_t)size)
		return error_errno(err, "sysctl %s: set '%s'", sysctl->path, sysctl->value);
	return 0;
}

/* Host name and sysctls, through our own fresh procfs, while /proc/sys is still writable. */
int namespaces_names(struct newborn *self, struct error *err)
{
	const struct container_spec *spec = self->spec;

	if (spec->uts.source == NAMESPACE_NEW) {
		if (spec->hostname && sethostname(spec->hostname, strlen(spec->hostname)) < 0)
			return error_errno(err, "set the host name '%s'", spec->hostname);
		if (spec->domainname && *spec->domainname &&
		    setdomainname(spec->domainname, strlen(spec->domainname)) < 0)
			return error_errno(err, "set the domain name '%s'", spec->domainname);
	}
	for (size_t i = 0; i < spec->sysctl_count; i++) {
		int r = write_sysctl(self->proc_fd, &spec->sysctls[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}
