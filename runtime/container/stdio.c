// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stdin, stdout and stderr: the caller's descriptors, /dev/null, or a new pty of the container's
 * own devpts.
 */
#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "common/cleanup.h"

#include "runtime/container/birth.h"

/* The host's: a container may have put anything in its own place. */
int stdio_open_null(struct newborn *self, struct error *err)
{
	const struct container_spec *spec = self->spec;

	if (spec->terminal || (spec->stdin_fd >= 0 && spec->stdout_fd >= 0 && spec->stderr_fd >= 0))
		return 0;
	self->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (self->null_fd < 0)
		return error_errno(err, "open /dev/null");
	return 0;
}

/* Both ends by descriptors: the name of the other end is never looked up. */
static int open_pair(struct newborn *self, struct error *err)
{
	int unlocked = 0;

	if (ioctl(self->pty_master, TIOCSPTLCK, &unlocked) < 0)
		return error_errno(err, "terminal: unlock it");
	self->pty_slave = ioctl(self->pty_master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (self->pty_slave < 0)
		return error_errno(err, "terminal: open its inner end");
	return 0;
}

int stdio_make_pty(struct newborn *self, struct error *err)
{
	_cleanup_close_ int tree = -EBADF;
	unsigned int number;
	char name[16];
	int r;

	if (!self->spec->terminal)
		return 0;
	self->pty_master = openat(self->pts_fd, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (self->pty_master < 0)
		return error_errno(err, "terminal: open /dev/pts/ptmx");
	r = open_pair(self, err);
	if (r < 0)
		return r;
	if (ioctl(self->pty_master, TIOCGPTN, &number) < 0)
		return error_errno(err, "terminal: ask for its number");
	snprintf(name, sizeof(name), "%u", number);
	tree = open_tree(self->pts_fd, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0 || mknodat(self->dev_fd, "console", S_IFREG | 0600, 0) < 0 ||
	    move_mount(tree, "", self->dev_fd, "console", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_errno(err, "terminal: make it /dev/console");
	return 0;
}

/*
 * exec: the container's processes have had their hands on /dev. Nothing is followed, and what was
 * opened must be the multiplexer of a devpts.
 */
int stdio_join_pty(struct newborn *self, struct error *err)
{
	struct open_how how = {.flags = O_RDWR | O_NOCTTY | O_CLOEXEC,
			       .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	struct statfs fs;
	struct stat st;

	if (!self->spec->terminal)
		return 0;
	self->pty_master = (int)syscall(SYS_openat2, AT_FDCWD, "/dev/pts/ptmx", &how, sizeof(how));
	if (self->pty_master < 0)
		return error_errno(err, "terminal: open /dev/pts/ptmx");
	if (fstatfs(self->pty_master, &fs) < 0 || fstat(self->pty_master, &st) < 0)
		return error_errno(err, "terminal: look at /dev/pts/ptmx");
	if (fs.f_type != DEVPTS_SUPER_MAGIC || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2))
		return error_set(err, EPERM, "terminal: /dev/pts/ptmx is not what it should be");
	return open_pair(self, err);
}

static int source_of(const struct newborn *self, int fd)
{
	if (self->spec->terminal)
		return self->pty_slave;
	return fd >= 0 ? fd : self->null_fd;
}

int stdio_take(struct newborn *self, struct error *err)
{
	const struct container_spec *spec = self->spec;
	int sources[] = {source_of(self, spec->stdin_fd), source_of(self, spec->stdout_fd),
			 source_of(self, spec->stderr_fd)};

	/* A source that sits on 0 to 2 itself must not be overwritten before its turn. */
	array_foreach(source, sources) {
		if (*source > 2)
			continue;
		*source = fcntl(*source, F_DUPFD_CLOEXEC, 3);
		if (*source < 0)
			return error_errno(err, "standard streams");
	}
	for (int i = 0; i < 3; i++)
		if (dup2(sources[i], i) < 0)
			return error_errno(err, "standard streams");
	if (setsid() < 0 && errno != EPERM)
		return error_errno(err, "start a session");
	if (spec->terminal && ioctl(0, TIOCSCTTY, 0) < 0)
		return error_errno(err, "terminal: make it the controlling one");
	return 0;
}
