// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An ssh agent's socket for a step: one of its own, with the owner and mode that the step asks for,
 * whose connections are passed on to the agent. It ends with the step's pid namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fd.h"

#include "runtime/build/build.h"

#define CONNECTIONS_WAITING 16

static int make_address(struct sockaddr_un *address, int dir, const char *name)
{
	char path[FD_PATH_MAX];
	int n;

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(address->sun_path, sizeof(address->sun_path), "%s%s%s", fd_path(dir, path),
		     *name ? "/" : "", name);
	return n < (int)sizeof(address->sun_path) ? 0 : -ENAMETOOLONG;
}

/* What comes from @from goes to @to; false: nothing more comes. */
static bool pass_on(int from, int to)
{
	char buffer[16384];
	ssize_t n = read(from, buffer, sizeof(buffer));

	if (n < 0 && errno == EINTR)
		return true;
	if (n > 0 && fd_write_all(to, buffer, (size_t)n) == 0)
		return true;
	(void)shutdown(to, SHUT_WR);
	return false;
}

static void serve(int client, int agent)
{
	struct pollfd ends[2] = {{client, POLLIN}, {agent, POLLIN}};

	while (ends[0].fd >= 0 || ends[1].fd >= 0) {
		if (poll(ends, 2, -1) < 0 && errno != EINTR)
			return;
		for (int i = 0; i < 2; i++)
			if (ends[i].fd >= 0 && ends[i].revents &&
			    !pass_on(ends[i].fd, i == 0 ? agent : client))
				ends[i].fd = -1;
	}
}

static int connect_agent(int agent)
{
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && make_address(&address, agent, "") == 0 &&
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	cleanup_close_fd(&fd);
	return -EBADF;
}

static _Noreturn void accept_all(int listener, int agent)
{
	/* Nobody waits for those that serve. */
	(void)signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (client < 0 && errno != EINTR && errno != ECONNABORTED)
			_exit(1);
		if (client >= 0 && fork() == 0) {
			int fd = connect_agent(agent);

			if (fd >= 0)
				serve(client, fd);
			_exit(0);
		}
		if (client >= 0)
			close(client);
	}
}

int relay_start(int agent, int dir, const char *name, const struct run_mount *mount,
		struct error *err)
{
	_cleanup_close_ int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	mode_t mode = mount->has_mode ? mount->mode : 0600;
	struct sockaddr_un address;
	pid_t pid;

	if (listener < 0 || make_address(&address, dir, name) < 0 ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    fchownat(dir, name, mount->uid, mount->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(dir, name, mode, 0) < 0 || listen(listener, CONNECTIONS_WAITING) < 0)
		return error_errno(err, "make a socket");
	pid = fork();
	if (pid < 0)
		return error_errno(err, "start a process");
	if (pid == 0)
		accept_all(listener, agent);
	return 0;
}
