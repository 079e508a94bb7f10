// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel's file systems of a container with Docker's options, and the mounts it was given.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/cleanup.h"
#include "common/rootless.h"
#include "common/rootpath.h"

#include "runtime/container/birth.h"
#include "runtime/container/cgroup/cgroup.h"

#define ATTR_KERNEL (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

struct option {
	const char *key, *value; /* a flag has no value */
};

static int make_fs(const char *type, unsigned int attributes, const struct option *options,
		   struct error *err)
{
	_cleanup_close_ int fs = fsopen(type, FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0)
		return error_errno(err, "mount %s", type);
	(void)fsconfig(fs, FSCONFIG_SET_STRING, "source", type, 0);
	for (; options && options->key; options++)
		if (fsconfig(fs, options->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG,
			     options->key, options->value, 0) < 0)
			return error_errno(err, "mount %s: option %s", type, options->key);
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_errno(err, "mount %s", type);
	fd = fsmount(fs, FSMOUNT_CLOEXEC, attributes);
	if (fd < 0)
		return error_errno(err, "mount %s", type);
	return fd;
}

/* Moves the detached mount @fd onto what @target is a descriptor of. */
static int attach_onto(int fd, int target, const char *path, struct error *err)
{
	if (move_mount(fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return error_errno(err, "mount on %s", path);
	return 0;
}

static int attach(struct newborn *self, int fd, const char *path, bool directory, struct error *err)
{
	_cleanup_close_ int target = rootpath_make_target(self->root_fd, path, directory, err);

	if (target < 0)
		return target;
	return attach_onto(fd, target, path, err);
}

/* Our own cgroups as bind mounts, which must be taken where the hierarchies are mounted. */
int mounts_gather(struct newborn *self, struct error *err)
{
	const struct cgroup *cgroup = self->spec->cgroup_handle;
	size_t n = 0;

	while (cgroup && n < ARRAY_SIZE(self->cgroup_trees)) {
		int fd = cgroup_tree(cgroup, n, &self->cgroup_names[n]);

		if (fd == -ENOENT)
			break;
		if (fd < 0)
			return error_code(err, fd, "open the container's control group");
		self->cgroup_trees[n++] = fd;
	}
	self->cgroup_tree_count = n;
	return 0;
}

/* A copy of /dev/shm where we are: the other container's. Nothing of it is followed. */
static int copy_shm(struct error *err)
{
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
			       .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	struct mount_attr attr = {.attr_set = ATTR_KERNEL};
	_cleanup_close_ int fd = -EBADF, place = -EBADF;

	place = (int)syscall(SYS_openat2, AT_FDCWD, "/dev/shm", &how, sizeof(how));
	if (place < 0)
		return error_errno(err, "open /dev/shm of the other container");
	fd = open_tree(place, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return error_errno(err, "take /dev/shm of the other container");
	return TAKE_FD(fd);
}

/* A mount can be copied only within its mount namespace: we go there and come back. */
int mounts_take_shm(struct newborn *self, struct error *err)
{
	_cleanup_close_ int here = -EBADF;

	if (self->spec->shm_container <= 0)
		return 0;
	here = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (here < 0)
		return error_errno(err, "open our own mount namespace");
	if (setns(self->spec->shm_container, CLONE_NEWNS) < 0)
		return error_errno(err, "enter the container whose /dev/shm is shared");
	self->shm_fd = copy_shm(err);
	if (setns(here, CLONE_NEWNS) < 0)
		return error_errno(err, "return to our own mount namespace");
	return self->shm_fd < 0 ? -err->code : 0;
}

/*
 * What shows a namespace (/proc that of pids) is mounted by who owns that, which for the host's no
 * ordinary user does: then what the host has at @path is seen, with all below it.
 */
static int make_view(const char *type, unsigned int attributes, bool of_host, const char *path,
		     struct error *err)
{
	struct mount_attr attr = {.attr_set = attributes};
	_cleanup_close_ int fd = -EBADF;

	if (!of_host || !rootless())
		return make_fs(type, attributes, NULL, err);
	fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return error_errno(err, "take the host's %s", path);
	return TAKE_FD(fd);
}

static int mount_proc(struct newborn *self, struct error *err)
{
	self->proc_fd = make_view("proc", ATTR_KERNEL, self->spec->pid.source == NAMESPACE_HOST,
				  "/proc", err);
	if (self->proc_fd < 0)
		return self->proc_fd;
	return attach(self, self->proc_fd, "/proc", true, err);
}

static int mount_sys(struct newborn *self, struct error *err)
{
	unsigned int attributes = ATTR_KERNEL;

	if (!self->spec->sys_writable)
		attributes |= MOUNT_ATTR_RDONLY;
	self->sys_fd = make_view("sysfs", attributes, self->plan->on_host, "/sys", err);
	if (self->sys_fd < 0)
		return self->sys_fd;
	return attach(self, self->sys_fd, "/sys", true, err);
}

static int open_cgroup_place(struct newborn *self, struct error *err)
{
	int place = openat(self->sys_fd, "fs/cgroup", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (place < 0)
		return error_errno(err, "open /sys/fs/cgroup");
	return place;
}

static int mount_cgroup2(struct newborn *self, struct error *err)
{
	unsigned int attributes = ATTR_KERNEL;
	_cleanup_close_ int place = open_cgroup_place(self, err), fd = -EBADF;

	if (place < 0)
		return place;
	if (!self->spec->cgroup_writable)
		attributes |= MOUNT_ATTR_RDONLY;
	fd = make_view("cgroup2", attributes, self->spec->cgroup.source == NAMESPACE_HOST,
		       "/sys/fs/cgroup", err);
	if (fd < 0)
		return fd;
	return attach_onto(fd, place, "/sys/fs/cgroup", err);
}

/* v1: a small tmpfs with a directory for each controller the container has a group of. */
static int mount_cgroup1(struct newborn *self, struct error *err)
{
	static const struct option options[] = {{"mode", "755"}, {"size", "64k"}, {NULL, NULL}};
	struct mount_attr attr = {.attr_set = ATTR_KERNEL};
	struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};
	_cleanup_close_ int place = open_cgroup_place(self, err), fd = -EBADF;
	int r;

	if (place < 0)
		return place;
	fd = make_fs("tmpfs", ATTR_KERNEL, options, err);
	if (fd < 0)
		return fd;
	r = attach_onto(fd, place, "/sys/fs/cgroup", err);
	if (r < 0)
		return r;
	if (!self->spec->cgroup_writable)
		attr.attr_set |= MOUNT_ATTR_RDONLY;
	for (size_t i = 0; i < self->cgroup_tree_count; i++) {
		const char *name = self->cgroup_names[i];

		if (mkdirat(fd, name, 0755) < 0)
			return error_errno(err, "make /sys/fs/cgroup/%s", name);
		if (mount_setattr(self->cgroup_trees[i], "", AT_EMPTY_PATH, &attr, sizeof(attr)) <
			    0 ||
		    move_mount(self->cgroup_trees[i], "", fd, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
			return error_errno(err, "mount on /sys/fs/cgroup/%s", name);
	}
	if (mount_setattr(fd, "", AT_EMPTY_PATH, &readonly, sizeof(readonly)) < 0)
		return error_errno(err, "make /sys/fs/cgroup read-only");
	return 0;
}

static int mount_dev(struct newborn *self, struct error *err)
{
	static const struct option options[] = {{"mode", "755"}, {"size", "65536k"}, {NULL, NULL}};

	self->dev_fd = make_fs("tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME, options, err);
	if (self->dev_fd < 0)
		return self->dev_fd;
	return attach(self, self->dev_fd, "/dev", true, err);
}

/* A file system on a new directory of our own /dev. */
static int mount_below_dev(struct newborn *self, int fd, const char *name, struct error *err)
{
	if (mkdirat(self->dev_fd, name, 0755) < 0)
		return error_errno(err, "make /dev/%s", name);
	if (move_mount(fd, "", self->dev_fd, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_errno(err, "mount on /dev/%s", name);
	return 0;
}

static int mount_devpts(struct newborn *self, struct error *err)
{
	static const struct option options[] = {{"newinstance", NULL},
						{"ptmxmode", "0666"},
						{"mode", "0620"},
						{"gid", "5"},
						{NULL, NULL}};

	self->pts_fd = make_fs("devpts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, options, err);
	if (self->pts_fd < 0)
		return self->pts_fd;
	return mount_below_dev(self, self->pts_fd, "pts", err);
}

static int mount_shm(struct newborn *self, struct error *err)
{
	char size[32];
	const struct option options[] = {{"mode", "1777"}, {"size", size}, {NULL, NULL}};
	_cleanup_close_ int fd = -EBADF;

	if (self->shm_fd >= 0)
		return mount_below_dev(self, self->shm_fd, "shm", err);
	if (self->spec->shm_fd >= 0)
		return mount_below_dev(self, self->spec->shm_fd, "shm", err);
	snprintf(size, sizeof(size), "%lld",
		 (long long)(self->spec->shm_bytes > 0 ? self->spec->shm_bytes : 64 << 20));
	fd = make_fs("tmpfs", ATTR_KERNEL, options, err);
	if (fd < 0)
		return fd;
	return mount_below_dev(self, fd, "shm", err);
}

static int mount_mqueue(struct newborn *self, struct error *err)
{
	bool of_host = self->spec->ipc.source == NAMESPACE_HOST;
	_cleanup_close_ int fd = -EBADF;

	if (of_host && rootless() && access("/dev/mqueue", F_OK) < 0)
		return 0;
	fd = make_view("mqueue", ATTR_KERNEL, of_host, "/dev/mqueue", err);

	if (fd < 0)
		return fd;
	return mount_below_dev(self, fd, "mqueue", err);
}

int mounts_kernel(struct newborn *self, struct error *err)
{
	static int (*const rows[])(struct newborn *, struct error *) = {
		mount_proc, mount_sys, mount_dev, mount_devpts, mount_shm, mount_mqueue,
	};
	int r;

	array_foreach(row, rows) {
		r = (*row)(self, err);
		if (r < 0)
			return r;
	}
	if (self->cgroup_tree_count &&
	    !(self->spec->cgroup_unified && cgroup_is_unified(self->spec->cgroup_handle)))
		return mount_cgroup1(self, err);
	if (self->spec->cgroup_handle)
		return mount_cgroup2(self, err);
	return 0;
}

int mounts_given(struct newborn *self, struct error *err)
{
	const struct container_spec *spec = self->spec;

	for (size_t i = 0; i < spec->mount_count; i++) {
		const struct mount_spec *m = &spec->mounts[i];
		int r = attach(self, m->fd, m->target, m->directory, err);

		if (r < 0)
			return r;
	}
	return 0;
}
