/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_FD_H
#define COMMON_FD_H

/*
 * fd.h - file descriptors: small helpers around one system call each, returning -errno.
 *
 * Everything made here is close-on-exec.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define FD_PATH_MAX 32

int fd_write_all(int fd, const void *data,
		 size_t size); /* 0 or -errno; retries EINTR, short writes */
ssize_t fd_read_full(int fd, void *data, size_t size); /* bytes read (fewer at the end) or -errno */
int fd_set_nonblock(int fd, bool on);
int fd_set_cloexec(int fd, bool on);
int fd_dup(int fd); /* lowest free one above 2 */
/* "/proc/self/fd/N" into @buffer (FD_PATH_MAX), which is returned. */
const char *fd_path(int fd, char *buffer);
/* Moves @fd onto @target (which is replaced), closing @fd; inherited over exec. */
int fd_move(int fd, int target);
/* Puts /dev/null in the place of @target, inherited over exec. */
int fd_null(int target);

/* One message with up to FD_PASS_MAX descriptors over a unix socket. Bytes, or -errno. */
#define FD_PASS_MAX 64
ssize_t fd_send(int socket, const void *data, size_t size, const int *fds, size_t fd_count);
/*
 * *ret_fd_count is the size of @fds on the way in. Descriptors that do not fit are closed.
 * -EMSGSIZE: a message longer than @size. -EMFILE: descriptors were lost on the way, since there
 * were more than FD_PASS_MAX or our table is full. Both close what did arrive.
 */
ssize_t fd_receive(int socket, void *data, size_t size, int *fds, size_t *ret_fd_count);
/* The same, and leaves the message where it is: who comes next receives it, too. */
ssize_t fd_peek(int socket, void *data, size_t size, int *fds, size_t *ret_fd_count);

#endif
