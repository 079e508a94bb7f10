// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int fd_write_all(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size > 0) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

ssize_t fd_read_full(int fd, void *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, (char *)data + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int change_flags(int fd, int get, int set, int flag, bool on)
{
	int flags = fcntl(fd, get);

	if (flags < 0)
		return -errno;
	flags = on ? flags | flag : flags & ~flag;
	return fcntl(fd, set, flags) < 0 ? -errno : 0;
}

int fd_set_nonblock(int fd, bool on)
{
	return change_flags(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int fd_set_cloexec(int fd, bool on)
{
	return change_flags(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int fd_dup(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return copy < 0 ? -errno : copy;
}

const char *fd_path(int fd, char *buffer)
{
	snprintf(buffer, FD_PATH_MAX, "/proc/self/fd/%d", fd);
	return buffer;
}

int fd_move(int fd, int target)
{
	if (fd == target)
		return fd_set_cloexec(fd, false);
	if (dup2(fd, target) < 0)
		return -errno;
	close(fd);
	return 0;
}

int fd_null(int target)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd_move(fd, target);
}

union control {
	struct cmsghdr header; /* for the alignment */
	char bytes[CMSG_SPACE(FD_PASS_MAX * sizeof(int))];
};

ssize_t fd_send(int socket, const void *data, size_t size, const int *fds, size_t fd_count)
{
	struct iovec part = {.iov_base = (void *)data, .iov_len = size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	union control control = {0};
	ssize_t n;

	if (fd_count > FD_PASS_MAX)
		return -EINVAL;
	if (fd_count > 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, fd_count * sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
	}
	do {
		n = sendmsg(socket, &message, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Takes the descriptors of @message over into @fds; how many there were in all. */
static size_t take_descriptors(struct msghdr *message, int *fds, size_t room)
{
	size_t count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++, count++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (count < room)
				fds[count] = fd;
			else
				close(fd);
		}
	}
	return count < room ? count : room;
}

static ssize_t receive(int socket, void *data, size_t size, int *fds, size_t *ret_fd_count,
		       int flags)
{
	struct iovec part = {.iov_base = data, .iov_len = size};
	union control control;
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	size_t room = ret_fd_count ? *ret_fd_count : 0, count;
	ssize_t n;

	if (ret_fd_count)
		*ret_fd_count = 0;
	do {
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	count = take_descriptors(&message, fds, room);
	if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		while (count > 0)
			close(fds[--count]);
		return message.msg_flags & MSG_TRUNC ? -EMSGSIZE : -EMFILE;
	}
	if (ret_fd_count)
		*ret_fd_count = count;
	return n;
}

ssize_t fd_receive(int socket, void *data, size_t size, int *fds, size_t *ret_fd_count)
{
	return receive(socket, data, size, fds, ret_fd_count, 0);
}

ssize_t fd_peek(int socket, void *data, size_t size, int *fds, size_t *ret_fd_count)
{
	return receive(socket, data, size, fds, ret_fd_count, MSG_PEEK);
}
