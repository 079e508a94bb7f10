// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/netns.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/cleanup.h"
#include "common/rootless.h"

int netns_enter(int netns_fd, struct error *err)
{
	_cleanup_close_ int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (home < 0)
		return error_errno(err, "open the host's network namespace");
	if (setns(netns_fd, CLONE_NEWNET) < 0)
		return error_errno(err, "enter the container's network namespace");
	return TAKE_FD(home);
}

void netns_leave(int home_fd)
{
	if (setns(home_fd, CLONE_NEWNET) < 0)
		abort();
	close(home_fd);
}

int netns_socket(int netns_fd, int domain, int type, int protocol, struct error *err)
{
	int fd, home;

	if (netns_fd >= 0 && rootless_is_on_host(netns_fd)) {
		fd = rootless_host_socket(domain, type, protocol);
		return fd < 0 ? error_code(err, fd, "make a socket") : fd;
	}
	home = netns_fd < 0 ? -EBADF : netns_enter(netns_fd, err);

	if (netns_fd >= 0 && home < 0)
		return home;
	fd = socket(domain, type | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		error_errno(err, "make a socket");
	if (home >= 0)
		netns_leave(home);
	return fd < 0 ? -err->code : fd;
}
