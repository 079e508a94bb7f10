// SPDX-License-Identifier: GPL-2.0-or-later
#include "volumes/detached.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fd.h"

/* What the kernel queued about a failure: "e nfs: server name missing"; errors only, the last. */
static void kernel_words(int fs, char *buffer, size_t size)
{
	char line[256];
	ssize_t n;

	buffer[0] = '\0';
	while ((n = read(fs, line, sizeof(line) - 1)) > 0) {
		line[n] = '\0';
		line[strcspn(line, "\n")] = '\0';
		if (n > 2 && (line[0] == 'e' || line[0] == 'w') && line[1] == ' ')
			snprintf(buffer, size, "%.*s", (int)(size - 1), line + 2);
	}
}

int detached_fs_open(const char *type, struct error *err)
{
	int fs = fsopen(type, FSOPEN_CLOEXEC);

	if (fs >= 0)
		return fs;
	if (errno == ENODEV)
		return error_set(err, ENODEV, "file system type '%s': this kernel does not have it",
				 type);
	return error_errno(err, "file system type '%s'", type);
}

static int fs_failed(int fs, const char *what, struct error *err)
{
	int code = errno;
	char words[200];

	kernel_words(fs, words, sizeof(words));
	if (words[0])
		return error_set(err, code, "%s: %s (%s)", what, strerror(code), words);
	return error_code(err, code, "%s", what);
}

int detached_fs_set(int fs, const char *key, const char *value, struct error *err)
{
	char what[160];
	int r;

	if (value)
		r = fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0);
	else
		r = fsconfig(fs, FSCONFIG_SET_FLAG, key, NULL, 0);
	if (r == 0)
		return 0;
	snprintf(what, sizeof(what), "mount option '%.60s%s%.80s'", key, value ? "=" : "",
		 value ? value : "");
	return fs_failed(fs, what, err);
}

int detached_fs_mount(int fs, uint64_t attributes, struct error *err)
{
	int mount;

	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fs_failed(fs, "mount", err);
	mount = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned int)attributes);
	if (mount < 0)
		return fs_failed(fs, "mount", err);
	return mount;
}

int detached_set(int mount, uint64_t attributes, uint64_t propagation, bool recursive)
{
	struct mount_attr attr = {.attr_set = attributes, .propagation = propagation};
	unsigned int flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);

	return mount_setattr(mount, "", flags, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

static int clone_mount(int inside)
{
	int fd = open_tree(inside, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

	return fd < 0 ? -errno : fd;
}

/* In the child: attach over its own root, which nothing looks up, then clone what lies inside. */
static int attach_and_clone(int mount, int inside)
{
	struct mount_attr private = {.propagation = MS_PRIVATE};

	if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &private, sizeof(private)) < 0)
		return -errno;
	if (move_mount(mount, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	return clone_mount(inside);
}

int detached_clone_by_child(int mount, int inside, struct error *err)
{
	/* CLONE_FILES: the fd that the child opens is at once the caller's. No SIGCHLD: none of
	 * the caller's handlers is to meet this child. */
	struct clone_args args = {.flags = CLONE_FILES | CLONE_NEWNS};
	_cleanup_close_ int reader = -EBADF, writer = -EBADF;
	int pipes[2], fd = -EIO, status;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return error_errno(err, "clone a mount");
	reader = pipes[0];
	writer = pipes[1];
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		return error_errno(err, "clone a mount in a mount namespace of its own");
	if (pid == 0) {
		int result = attach_and_clone(mount, inside);

		(void)fd_write_all(writer, &result, sizeof(result));
		_exit(0);
	}
	while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
		;
	/* The write end is open in the shared table still; the message is there or the child died.
	 */
	(void)fd_set_nonblock(reader, true);
	if (fd_read_full(reader, &fd, sizeof(fd)) != sizeof(fd))
		fd = -EIO;
	if (fd < 0)
		return error_code(err, fd, "clone a mount");
	return fd;
}

int detached_clone_inside(int mount, int inside, struct error *err)
{
	int fd = clone_mount(inside);

	if (fd >= 0)
		return fd;
	if (fd == -EINVAL)
		return detached_clone_by_child(mount, inside, err);
	return error_code(err, fd, "clone a mount");
}
