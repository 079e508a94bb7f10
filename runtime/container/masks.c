// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The parts of /proc and /sys that containers must not see or change, as Docker has them.
 *
 * All names are walked from the descriptors of our own fresh mounts: what the user mounted over
 * them, or what an image linked, cannot lead these mounts elsewhere.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "common/cleanup.h"

#include "runtime/container/birth.h"

static const char *const proc_masked[] = {
	"acpi",          "asound",      "interrupts", "kcore",      "keys",
	"latency_stats", "sched_debug", "scsi",       "timer_list", "timer_stats",
};
static const char *const sys_masked[] = {"devices/virtual/powercap", "firmware"};
static const char *const proc_readonly[] = {"bus", "fs", "irq", "sys", "sysrq-trigger"};

/* Covers for directories are all one empty tmpfs: the first use attaches it, the others clone it.
 */
struct covers {
	int dev_fd;
	int directory;
	bool attached;
};

static int directory_cover(struct covers *covers)
{
	_cleanup_close_ int fs = -EBADF;

	if (covers->attached)
		return open_tree(covers->directory, "",
				 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", "2", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	covers->directory = fsmount(fs, FSMOUNT_CLOEXEC,
				    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					    MOUNT_ATTR_NOEXEC);
	covers->attached = true;
	return covers->directory;
}

static int mask(struct covers *covers, int dir, const char *name, struct error *err)
{
	_cleanup_close_ int target = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int cover;

	if (target < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (target < 0 || fstat(target, &st) < 0)
		return error_errno(err, "mask %s", name);
	if (S_ISDIR(st.st_mode))
		cover = directory_cover(covers);
	else
		cover = open_tree(covers->dev_fd, "null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (cover < 0 || move_mount(cover, "", target, "",
				    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return error_errno(err, "mask %s", name);
	return 0;
}

static int make_readonly(int dir, const char *name, struct error *err)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	_cleanup_close_ int target = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_close_ int tree = -EBADF;

	if (target < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (target < 0)
		return error_errno(err, "make /proc/%s read-only", name);
	tree = open_tree(target, "",
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	if (tree < 0 ||
	    mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0 ||
	    move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return error_errno(err, "make /proc/%s read-only", name);
	return 0;
}

/* Thermal throttling counters tell neighbours apart (Docker masks them for each processor). */
static int mask_thermal(struct covers *covers, int sys_fd, struct error *err)
{
	char name[80];

	for (int cpu = 0; cpu < 8192; cpu++) {
		int r;

		snprintf(name, sizeof(name), "devices/system/cpu/cpu%d", cpu);
		if (faccessat(sys_fd, name, F_OK, 0) < 0)
			return 0;
		snprintf(name, sizeof(name), "devices/system/cpu/cpu%d/thermal_throttle", cpu);
		r = mask(covers, sys_fd, name, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int mounts_mask(struct newborn *self, struct error *err)
{
	struct covers covers = {.dev_fd = self->dev_fd, .directory = -EBADF};
	int r = 0;

	if (self->spec->proc_unmasked)
		return 0;
	array_foreach(name, proc_readonly) {
		r = make_readonly(self->proc_fd, *name, err);
		if (r < 0)
			return r;
	}
	array_foreach(name, proc_masked) {
		r = mask(&covers, self->proc_fd, *name, err);
		if (r < 0)
			return r;
	}
	array_foreach(name, sys_masked) {
		r = mask(&covers, self->sys_fd, *name, err);
		if (r < 0)
			return r;
	}
	return mask_thermal(&covers, self->sys_fd, err);
}
