// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/journal.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define SOCKET_PATH "/run/systemd/journal/socket"
#define SEND_BYTES  (1 << 20)

void journal_add(struct strbuf *entry, const char *name, const char *value, size_t size)
{
	uint64_t length = htole64(size);

	strbuf_add(entry, name);
	/* A value with newlines in it has its length before it rather than a "=". */
	if (memchr(value, '\n', size)) {
		strbuf_addc(entry, '\n');
		strbuf_add_n(entry, &length, sizeof(length));
	} else {
		strbuf_addc(entry, '=');
	}
	strbuf_add_n(entry, value, size);
	strbuf_addc(entry, '\n');
}

void journal_add_text(struct strbuf *entry, const char *name, const char *value)
{
	journal_add(entry, name, value, strlen(value));
}

int journal_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int size = SEND_BYTES;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return fd;
}

/* Connected anew each time: a journal that was restarted listens at another socket. */
static int send_once(int fd, const char *entry, size_t size)
{
	static const struct sockaddr_un address = {AF_UNIX, SOCKET_PATH};

	if (send(fd, entry, size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	if (errno != ENOTCONN && errno != ECONNREFUSED && errno != ECONNRESET &&
	    errno != EDESTADDRREQ)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return send(fd, entry, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int journal_send(int fd, const char *entry, size_t size, int patience_msec)
{
	struct pollfd writable = {.fd = fd, .events = POLLOUT};
	int r = send_once(fd, entry, size);

	if (r == -EAGAIN && patience_msec && poll(&writable, 1, patience_msec) > 0)
		r = send_once(fd, entry, size);
	return r;
}
