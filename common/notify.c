// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"

#define TEXT_MAX 2048

bool notify_wanted(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	return path && (path[0] == '/' || path[0] == '@');
}

/* The address's length; 0: there is none that we could use. */
static socklen_t address_of(struct sockaddr_un *ret)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t length = path ? strlen(path) : 0;

	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (!notify_wanted() || length >= sizeof(ret->sun_path))
		return 0;
	memcpy(ret->sun_path, path, length);
	/* An abstract one begins with a zero byte, and its name does not end with one. */
	if (path[0] == '@')
		ret->sun_path[0] = 0;
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] == '/'));
}

/* @fd negative: none goes along. */
static void send_text(const char *text, size_t length, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct sockaddr_un address;
	struct iovec part = {(char *)text, length};
	struct msghdr message = {.msg_name = &address, .msg_iov = &part, .msg_iovlen = 1};
	_cleanup_close_ int socket_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	message.msg_namelen = address_of(&address);
	if (!message.msg_namelen || socket_fd < 0)
		return;
	if (fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.header = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(sizeof(int)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
		};
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	(void)sendmsg(socket_fd, &message, MSG_NOSIGNAL);
}

void notify_send(const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;
	int length;

	if (!notify_wanted())
		return;
	va_start(args, format);
	length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (length > 0)
		send_text(text, length < TEXT_MAX ? (size_t)length : TEXT_MAX - 1, -EBADF);
}

void notify_barrier(int timeout_msec)
{
	struct pollfd closed = {.events = 0};
	int pair[2];

	if (!notify_wanted() || pipe2(pair, O_CLOEXEC) < 0)
		return;
	send_text("BARRIER=1", strlen("BARRIER=1"), pair[1]);
	close(pair[1]);
	/* It closes the end that it was given. */
	closed.fd = pair[0];
	(void)poll(&closed, 1, timeout_msec);
	close(pair[0]);
}

int64_t notify_watchdog_usec(void)
{
	const char *limit = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	long long usec;
	char *end;

	if (!limit || (pid && strtoll(pid, NULL, 10) != getpid()))
		return 0;
	errno = 0;
	usec = strtoll(limit, &end, 10);
	return errno || *end || usec < 0 ? 0 : usec;
}
