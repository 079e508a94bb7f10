// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fd.h"

static bool is_cloexec(int fd)
{
	return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

static int count_open(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(directory))
		n++;
	closedir(directory);
	return n;
}

static void make_pair(int type, int pair[2])
{
	cr_assert_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair), 0);
}

Test(fd, whole_reads_and_writes)
{
	char buffer[8] = {0};
	int pair[2];

	cr_assert_eq(pipe2(pair, O_CLOEXEC), 0);
	cr_expect_eq(fd_write_all(pair[1], "hello", 5), 0);
	close(pair[1]);
	cr_expect_eq(fd_read_full(pair[0], buffer, sizeof(buffer)), 5);
	cr_expect_str_eq(buffer, "hello");
	cr_expect_eq(fd_read_full(pair[0], buffer, sizeof(buffer)), 0);
	close(pair[0]);
	cr_expect_eq(fd_write_all(pair[0], "x", 1), -EBADF);
	cr_expect_eq(fd_read_full(pair[0], buffer, 1), -EBADF);
}

Test(fd, flags_and_copies)
{
	_cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int copy = fd_dup(fd);
	char path[FD_PATH_MAX];
	int target;

	cr_expect_geq(copy, 3);
	cr_expect(is_cloexec(copy));
	cr_expect_eq(fd_set_cloexec(copy, false), 0);
	cr_expect_not(is_cloexec(copy));
	cr_expect_eq(fd_set_nonblock(fd, true), 0);
	cr_expect(fcntl(fd, F_GETFL) & O_NONBLOCK);
	cr_expect_eq(fd_set_nonblock(fd, false), 0);
	cr_expect_not(fcntl(fd, F_GETFL) & O_NONBLOCK);
	cr_expect_str_eq(fd_path(17, path), "/proc/self/fd/17");
	cr_expect_eq(fd_set_nonblock(-1, true), -EBADF);
	cr_expect_eq(fd_dup(-1), -EBADF);

	target = fcntl(fd, F_DUPFD_CLOEXEC, 100);
	cr_expect_eq(fd_move(TAKE_FD(copy), target), 0);
	cr_expect_not(is_cloexec(target));
	cr_expect_eq(fd_set_cloexec(target, true), 0);
	cr_expect_eq(fd_move(target, target), 0);
	cr_expect_not(is_cloexec(target));
	close(target);
}

Test(fd, messages_carry_descriptors)
{
	_cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int pair[2], sent[FD_PASS_MAX], got[FD_PASS_MAX], before;
	size_t count = 3;
	char data[16];

	make_pair(SOCK_SEQPACKET, pair);
	for (int i = 0; i < FD_PASS_MAX; i++)
		sent[i] = null;
	before = count_open();
	cr_expect_eq(fd_send(pair[0], "hi", 3, sent, 3), 3);
	cr_expect_eq(fd_receive(pair[1], data, sizeof(data), got, &count), 3);
	cr_expect_str_eq(data, "hi");
	cr_assert_eq(count, 3);
	for (size_t i = 0; i < count; i++) {
		cr_expect(is_cloexec(got[i]));
		close(got[i]);
	}

	/* More than there is room for: the rest is closed. */
	cr_expect_eq(fd_send(pair[0], "hi", 3, sent, FD_PASS_MAX), 3);
	count = 1;
	cr_expect_eq(fd_receive(pair[1], data, sizeof(data), got, &count), 3);
	cr_assert_eq(count, 1);
	close(got[0]);
	cr_expect_eq(fd_send(pair[0], "hi", 3, sent, 2), 3);
	cr_expect_eq(fd_receive(pair[1], data, sizeof(data), NULL, NULL), 3);

	/* Too long: nothing of it is kept. */
	cr_expect_eq(fd_send(pair[0], "a long message, longer than that", 32, sent, 2), 32);
	count = FD_PASS_MAX;
	cr_expect_eq(fd_receive(pair[1], data, sizeof(data), got, &count), -EMSGSIZE);
	cr_expect_eq(count, 0);
	cr_expect_eq(count_open(), before);

	cr_expect_eq(fd_send(pair[0], "x", 1, sent, FD_PASS_MAX + 1), -EINVAL);
	cr_expect_eq(fd_set_nonblock(pair[1], true), 0);
	cr_expect_eq(fd_receive(pair[1], data, sizeof(data), got, &count), -EAGAIN);
	close(pair[1]);
	cr_expect_eq(fd_send(pair[0], "x", 1, NULL, 0), -EPIPE);
	close(pair[0]);
}

/* A peer may send more descriptors than we ever do: 253 is the kernel's limit. */
Test(fd, too_many_descriptors_are_refused_without_a_leak)
{
	enum { MANY = 200 };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(MANY * sizeof(int))];
	} control = {0};
	int pair[2], fds[MANY], got[FD_PASS_MAX], before;
	struct iovec part = {.iov_base = "x", .iov_len = 1};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	size_t count = FD_PASS_MAX;
	char data[4];

	make_pair(SOCK_STREAM, pair);
	for (int i = 0; i < MANY; i++)
		fds[i] = pair[0];
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(&control.header), fds, sizeof(fds));
	before = count_open();
	cr_assert_eq(sendmsg(pair[0], &message, 0), 1);
	cr_expect_eq(fd_receive(pair[1], data, sizeof(data), got, &count), -EMFILE);
	cr_expect_eq(count_open(), before);
}
