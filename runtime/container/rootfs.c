// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/container/rootfs.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/overlay.h"

#include "runtime/container/birth.h"
#include "runtime/container/idmap.h"

/* 500 is overlayfs's own limit; images have at most 127. */
#define LAYERS_MAX 500

/*
 * fsconfig() takes values of at most 255 bytes, so a long list of layers goes in one by one
 * (lowerdir+, Linux 6.7). Names are those of our descriptors.
 */
static int set_fd(int fs, const char *key, int fd)
{
	char path[FD_PATH_MAX];

	return fsconfig(fs, FSCONFIG_SET_STRING, key, fd_path(fd, path), 0);
}

static int finish(int fs, const struct rootfs_spec *rootfs, struct error *err)
{
	int fd;

	(void)fsconfig(fs, FSCONFIG_SET_STRING, "source", "overlay", 0);
	overlay_configure(fs);
	if (rootfs->upper_fd >= 0 && (set_fd(fs, "upperdir", rootfs->upper_fd) < 0 ||
				      set_fd(fs, "workdir", rootfs->work_fd) < 0))
		return error_errno(err, "root file system: give it its writable layer");
	if (rootfs->becomes_layer) {
		(void)fsconfig(fs, FSCONFIG_SET_FLAG, "volatile", NULL, 0);
		(void)fsconfig(fs, FSCONFIG_SET_STRING, "redirect_dir", "nofollow", 0);
		(void)fsconfig(fs, FSCONFIG_SET_STRING, "metacopy", "off", 0);
		(void)fsconfig(fs, FSCONFIG_SET_STRING, "index", "off", 0);
	}
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_errno(err, "root file system: stack %zu layers", rootfs->layer_count);
	fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (fd < 0)
		return error_errno(err, "root file system: mount it");
	return fd;
}

static int open_overlay(struct error *err)
{
	int fs = fsopen("overlay", FSOPEN_CLOEXEC);

	if (fs < 0)
		return error_errno(err, "root file system: this kernel has no overlayfs");
	return fs;
}

/*
 * Before 6.5 overlayfs knows the mount API by a shim, which takes any option and complains of all
 * of them at the end.
 */
static bool takes_anything(int fs)
{
	return fsconfig(fs, FSCONFIG_SET_FLAG, "berth-asks", NULL, 0) == 0;
}

/* Linux 6.7 and later. -EINVAL without @err: no lowerdir+ here. */
static int overlay_one_by_one(const struct rootfs_spec *rootfs, struct error *err)
{
	_cleanup_close_ int fs = open_overlay(err);

	if (fs < 0)
		return fs;
	if (takes_anything(fs))
		return -EINVAL;
	for (size_t i = 0; i < rootfs->layer_count; i++) {
		if (set_fd(fs, "lowerdir+", rootfs->layer_fds[i]) == 0)
			continue;
		if (i == 0 && errno == EINVAL)
			return -EINVAL;
		return error_errno(err, "root file system: layer %zu", i + 1);
	}
	return finish(fs, rootfs, err);
}

/* "12:13:14", to be read with /proc/self/fd as the working directory. 0: it does not fit. */
static size_t layer_names(const int *fds, size_t count, char *buffer, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		int r = snprintf(buffer + n, size - n, "%s%d", i ? ":" : "", fds[i]);

		if (r < 0 || (size_t)r >= size - n)
			return 0;
		n += (size_t)r;
	}
	return n;
}

int rootfs_overlay_by_names(const struct rootfs_spec *rootfs, struct error *err)
{
	_cleanup_close_ int fs = -EBADF;
	char names[256];

	if (!layer_names(rootfs->layer_fds, rootfs->layer_count, names, sizeof(names)))
		return -E2BIG;
	fs = open_overlay(err);
	if (fs < 0)
		return fs;
	if (chdir("/proc/self/fd") < 0)
		return error_errno(err, "open /proc/self/fd");
	if (fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", names, 0) < 0)
		return error_errno(err, "root file system: name its layers");
	return finish(fs, rootfs, err);
}

int rootfs_unshare(struct error *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return error_errno(err, "make a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_errno(err, "make the mount namespace private");
	return 0;
}

/* The same directory as @fd, seen in the mount namespace that we have now. */
static int reopen_here(int fd, char *path, size_t size)
{
	struct stat before, after;
	char link[FD_PATH_MAX];
	ssize_t n = readlink(fd_path(fd, link), path, size - 1);
	int here;

	if (n < 0)
		return -errno;
	path[n] = 0;
	here = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (here < 0)
		return -errno;
	if (fstat(fd, &before) < 0 || fstat(here, &after) < 0 || before.st_ino != after.st_ino ||
	    before.st_dev != after.st_dev) {
		close(here);
		return -ESTALE;
	}
	return here;
}

/*
 * mount(2) takes a page of options where fsconfig() takes 255 bytes, but mounts at a place: our
 * own mount namespace, on top of the directory of the writable layer's work.
 */
int rootfs_overlay_by_mount(const struct rootfs_spec *rootfs, bool *ret_own, struct error *err)
{
	/* Held, for a namespace without users comes apart, and its paths with it. */
	_cleanup_close_ int old = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	char options[4096], path[4096];
	int fds[LAYERS_MAX], upper, work, root;
	size_t n;

	if (rootfs_unshare(err) < 0)
		return -err->code;
	*ret_own = true;
	for (size_t i = 0; i < rootfs->layer_count; i++) {
		fds[i] = reopen_here(rootfs->layer_fds[i], path, sizeof(path));
		if (fds[i] < 0)
			return error_code(err, fds[i], "root file system: layer %zu", i + 1);
	}
	n = (size_t)snprintf(options, sizeof(options), "lowerdir=");
	n += layer_names(fds, rootfs->layer_count, options + n, sizeof(options) - n - 128);
	if (rootfs->upper_fd >= 0) {
		upper = reopen_here(rootfs->upper_fd, path, sizeof(path));
		work = reopen_here(rootfs->work_fd, path, sizeof(path));
		if (upper < 0 || work < 0)
			return error_code(err, upper < 0 ? upper : work,
					  "root file system: its writable layer");
		snprintf(options + n, sizeof(options) - n, ",upperdir=%d,workdir=%d%s", upper, work,
			 rootfs->becomes_layer
				 ? ",volatile,redirect_dir=nofollow,metacopy=off,index=off"
				 : "");
	}
	if (overlay_option()) {
		n = strlen(options);
		snprintf(options + n, sizeof(options) - n, ",%s", overlay_option());
	}
	if (chdir("/proc/self/fd") < 0)
		return error_errno(err, "open /proc/self/fd");
	if (mount("overlay", path, "overlay", 0, options) < 0)
		return error_errno(err, "root file system: stack %zu layers", rootfs->layer_count);
	root = open_tree(AT_FDCWD, path, OPEN_TREE_CLOEXEC);
	if (root < 0)
		return error_errno(err, "root file system: open it");
	return root;
}

/* One layer to read from needs no overlay. Read-only at once: the layer belongs to others too. */
static int single_layer(int layer, struct error *err)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	_cleanup_close_ int fd =
		open_tree(layer, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

	if (fd < 0)
		return error_errno(err, "root file system: take its only layer");
	if (mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return error_errno(err, "root file system: make it read-only");
	return TAKE_FD(fd);
}

int rootfs_make(const struct rootfs_spec *rootfs, bool *ret_own, struct error *err)
{
	struct rootfs_spec mapped = *rootfs;
	int fds[LAYERS_MAX], r;

	*ret_own = false;
	if (!rootfs->layer_count || rootfs->layer_count > LAYERS_MAX)
		return error_set(err, EINVAL, "root file system: %zu layers, 1 to %d are possible",
				 rootfs->layer_count, LAYERS_MAX);
	if (rootfs->userns_fd >= 0) {
		r = idmap_layers(rootfs, fds, &mapped, err);
		if (r < 0)
			return r;
	}
	if (mapped.upper_fd < 0 && mapped.layer_count == 1)
		return single_layer(mapped.layer_fds[0], err);
	r = overlay_one_by_one(&mapped, err);
	if (r >= 0 || err->code)
		return r;
	r = rootfs_overlay_by_names(&mapped, err);
	if (r >= 0 || err->code)
		return r;
	return rootfs_overlay_by_mount(&mapped, ret_own, err);
}

int rootfs_step_make(struct newborn *self, struct error *err)
{
	self->root_fd = rootfs_make(&self->spec->rootfs, &self->own_mount_namespace, err);
	return self->root_fd < 0 ? self->root_fd : 0;
}

/* On top of the old root, where it can be pivoted to; our mounts then go into it. */
int rootfs_step_attach(struct newborn *self, struct error *err)
{
	if (!self->own_mount_namespace && rootfs_unshare(err) < 0)
		return -err->code;
	if (move_mount(self->root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_errno(err, "root file system: attach it");
	return 0;
}

static const struct {
	const char *name;
	unsigned long flags;
} propagations[] = {
	{"rprivate", MS_REC | MS_PRIVATE},       {"private", MS_PRIVATE},
	{"rslave", MS_REC | MS_SLAVE},           {"slave", MS_SLAVE},
	{"rshared", MS_REC | MS_SHARED},         {"shared", MS_SHARED},
	{"runbindable", MS_REC | MS_UNBINDABLE}, {"unbindable", MS_UNBINDABLE},
};

static int set_propagation(const char *name, struct error *err)
{
	if (!name || !*name)
		return 0; /* private it is since rootfs_unshare() */
	array_foreach(p, propagations) {
		if (strcmp(p->name, name) != 0)
			continue;
		if (mount(NULL, "/", NULL, p->flags, NULL) < 0)
			return error_errno(err, "root file system: propagation %s", name);
		return 0;
	}
	return error_set(err, EINVAL, "root file system: no such propagation: '%s'", name);
}

int rootfs_step_pivot(struct newborn *self, struct error *err)
{
	/* Old and new root stacked at one place: no directory for the old one is needed inside. */
	if (fchdir(self->root_fd) < 0)
		return error_errno(err, "root file system: enter it");
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return error_errno(err, "root file system: pivot to it");
	if (umount2(".", MNT_DETACH) < 0)
		return error_errno(err, "root file system: let go of the host's");
	if (chdir("/") < 0)
		return error_errno(err, "root file system: enter it");
	return set_propagation(self->spec->propagation, err);
}

/* Last, since the steps before made the places to mount on. */
int rootfs_step_seal(struct newborn *self, struct error *err)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};

	if (!self->spec->rootfs.read_only)
		return 0;
	if (mount_setattr(self->root_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return error_errno(err, "root file system: make it read-only");
	return 0;
}
