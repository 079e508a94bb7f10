// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * AppArmor and SELinux labels hold from an execve on. The one that counts is the program's, which
 * pid1/init.c makes; and the kernel takes the label only through a file that was opened after our
 * own execve. So init gets the directory. It is that of the container's procfs: one of the host's
 * would be a way out for whoever steals it from init.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statfs.h>

#include "common/cleanup.h"

#include "runtime/container/birth.h"

int lsm_open(struct newborn *self, struct error *err)
{
	const struct container_spec *spec = self->spec;
	const char *label = spec->apparmor_profile ?: spec->selinux_label;
	struct statfs fs;

	if (!label || !*label)
		return 0;
	self->lsm_fd = -EBADF;
	if (spec->apparmor_profile)
		self->lsm_fd = open("/proc/self/attr/apparmor", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (self->lsm_fd < 0)
		self->lsm_fd = open("/proc/self/attr", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (self->lsm_fd < 0)
		return error_errno(err, "security label '%s': open /proc/self/attr", label);
	if (fstatfs(self->lsm_fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return error_set(err, EPERM, "security label '%s': /proc is not a procfs", label);
	if (faccessat(self->lsm_fd, "exec", F_OK, 0) < 0)
		return error_errno(err, "security label '%s': this kernel has no such labels",
				   label);
	return 0;
}
