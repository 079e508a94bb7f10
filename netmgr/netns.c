// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/netns.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/cleanup.h"

int netns_socket(int netns_fd, int domain, int type, int protocol, struct error *err)
{
	_cleanup_close_ int home = -EBADF;
	int fd;

	if (netns_fd >= 0) {
		home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
		if (home < 0)
			return error_errno(err, "open the host's network namespace");
		if (setns(netns_fd, CLONE_NEWNET) < 0)
			return error_errno(err, "enter the container's network namespace");
	}
	fd = socket(domain, type | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		error_errno(err, "make a socket");
	/* Going on in the wrong namespace would be worse than dying. */
	if (home >= 0 && setns(home, CLONE_NEWNET) < 0)
		abort();
	return fd < 0 ? -err->code : fd;
}
