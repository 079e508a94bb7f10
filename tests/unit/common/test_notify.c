// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/notify.h"

static int listen_at(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, name, strlen(name));
	address.sun_path[0] = 0;
	cr_assert(bind(fd, (struct sockaddr *)&address,
		       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))) == 0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

Test(notify, nobody_listens)
{
	unsetenv("NOTIFY_SOCKET");
	cr_expect(!notify_wanted());
	notify_send("READY=1");
	notify_barrier(1);
	setenv("NOTIFY_SOCKET", "relative", 1);
	cr_expect(!notify_wanted());
}

Test(notify, abstract_socket)
{
	_cleanup_close_ int fd = -EBADF;
	char name[64], text[64] = "";

	snprintf(name, sizeof(name), "@berth-test-%d", getpid());
	fd = listen_at(name);
	notify_send("STATUS=%d of %d", 1, 2);
	cr_assert(recv(fd, text, sizeof(text) - 1, 0) > 0);
	cr_expect_str_eq(text, "STATUS=1 of 2");
	/* Reading without room for a descriptor lets go of it, as a reader that took it does. */
	notify_barrier(1);
	cr_assert(recv(fd, text, sizeof(text) - 1, 0) == 9);
}

Test(notify, watchdog_is_for_one_process)
{
	char pid[16];

	setenv("WATCHDOG_USEC", "3000000", 1);
	unsetenv("WATCHDOG_PID");
	cr_expect(notify_watchdog_usec() == 3000000);
	setenv("WATCHDOG_PID", "1", 1);
	cr_expect(notify_watchdog_usec() == 0);
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("WATCHDOG_PID", pid, 1);
	cr_expect(notify_watchdog_usec() == 3000000);
	setenv("WATCHDOG_USEC", "3x", 1);
	cr_expect(notify_watchdog_usec() == 0);
}
