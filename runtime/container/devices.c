// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "common/cleanup.h"
#include "common/rootless.h"
#include "common/rootpath.h"

#include "runtime/container/birth.h"

static const struct {
	const char *name;
	unsigned int major, minor;
} default_nodes[] = {
	{"null", 1, 3}, {"zero", 1, 5},   {"full", 1, 7},
	{"tty", 5, 0},  {"random", 1, 8}, {"urandom", 1, 9},
};

static const struct {
	const char *name, *target;
} default_links[] = {
	{"ptmx", "pts/ptmx"},          {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"}, {"core", "/proc/kcore"},
};

/*
 * In a user namespace mknod() is refused: then the host's node is bound onto an empty file. @host:
 * its path below @host_dir.
 */
static int bind_node(int dir, const char *name, int host_dir, const char *host, struct error *err)
{
	_cleanup_close_ int tree = open_tree(host_dir, host, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (tree < 0)
		return error_errno(err, "device %s: bind the host's", host);
	if (mknodat(dir, name, S_IFREG | 0666, 0) < 0 && errno != EEXIST)
		return error_errno(err, "device %s", host);
	if (move_mount(tree, "", dir, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_errno(err, "device %s: bind the host's", host);
	return 0;
}

static int populate_defaults(struct newborn *self, struct error *err)
{
	char host[32];

	array_foreach(node, default_nodes) {
		if (mknodat(self->dev_fd, node->name, S_IFCHR | 0666,
			    makedev(node->major, node->minor)) == 0)
			continue;
		if (errno != EPERM)
			return error_errno(err, "device /dev/%s", node->name);
		snprintf(host, sizeof(host), "/dev/%s", node->name);
		if (bind_node(self->dev_fd, node->name, AT_FDCWD, host, err) < 0)
			return -err->code;
	}
	array_foreach(link, default_links)
		if (symlinkat(link->target, self->dev_fd, link->name) < 0)
			return error_errno(err, "link /dev/%s", link->name);
	return 0;
}

/* Makes the file of @path's directories and gives the last one's fd and the last name. */
static int open_parent(int root, const char *path, const char **ret_name, struct error *err)
{
	char parent[4096];
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;

	if (n >= sizeof(parent) || !slash || !slash[1])
		return error_set(err, EINVAL, "device %s: not a path of a file", path);
	memcpy(parent, path, n);
	parent[n] = 0;
	*ret_name = slash + 1;
	return rootpath_make_target(root, n ? parent : "/", 1, err);
}

static int make_device(struct newborn *self, const struct device_spec *device, struct error *err)
{
	mode_t type = device->type == 'b' ? S_IFBLK : S_IFCHR;
	const char *name;
	_cleanup_close_ int dir = open_parent(self->root_fd, device->path, &name, err);

	if (dir < 0)
		return dir;
	/* What the image or the defaults have there gives way: the user named this one. */
	(void)unlinkat(dir, name, 0);
	if (mknodat(dir, name, type | (device->mode & 07777 ?: 0666),
		    makedev(device->major, device->minor)) < 0) {
		if (errno == EPERM && rootless())
			return bind_node(dir, name, AT_FDCWD, device->host, err);
		return error_errno(err, "device %s", device->path);
	}
	if (fchownat(dir, name, device->uid, device->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, "device %s: give it its owner", device->path);
	return 0;
}

/* Directories of /dev that are file systems of the container's own. */
static bool is_own(const char *name)
{
	static const char *const names[] = {".",    "..",          "pts",      "shm",
					    "fd",   "mqueue",      "console",  ".udev",
					    ".lxc", ".lxd-mounts", "hugepages"};

	array_foreach(n, names)
		if (strcmp(*n, name) == 0)
			return true;
	return false;
}

static int copy_nodes(int from, int to, int depth, struct error *err);

static int copy_node(int from, int to, const char *name, int depth, struct error *err)
{
	_cleanup_close_ int sub_from = -EBADF, sub_to = -EBADF;
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
		if (rootless())
			return faccessat(to, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0
				       ? 0
				       : bind_node(to, name, from, name, err);
		if (mknodat(to, name, st.st_mode, st.st_rdev) < 0 && errno != EEXIST)
			return error_errno(err, "device /dev/%s", name);
		if (fchownat(to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
			return error_errno(err, "device /dev/%s: give it its owner", name);
		return 0;
	}
	if (!S_ISDIR(st.st_mode) || depth <= 0)
		return 0;
	sub_from = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub_from < 0)
		return 0;
	if (mkdirat(to, name, 0755) < 0 && errno != EEXIST)
		return error_errno(err, "make /dev/%s", name);
	sub_to = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub_to < 0)
		return error_errno(err, "open /dev/%s", name);
	return copy_nodes(sub_from, sub_to, depth - 1, err);
}

/* readdir() allocates, getdents64() does not. */
static int copy_nodes(int from, int to, int depth, struct error *err)
{
	char buffer[4096] __attribute__((aligned(8)));
	long n;

	while ((n = syscall(SYS_getdents64, from, buffer, sizeof(buffer))) > 0) {
		for (char *at = buffer; at < buffer + n;) {
			struct dirent64 *entry = (struct dirent64 *)at;
			int r = is_own(entry->d_name)
					? 0
					: copy_node(from, to, entry->d_name, depth, err);

			if (r < 0)
				return r;
			at += entry->d_reclen;
		}
	}
	return n < 0 ? error_errno(err, "read the host's /dev") : 0;
}

/* privileged: every node that the host has now. */
static int populate_all(struct newborn *self, struct error *err)
{
	/* Until the pivot our "/" is the host's: the container's root only lies on top of it. */
	_cleanup_close_ int from = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (from < 0)
		return error_errno(err, "open the host's /dev");
	return copy_nodes(from, self->dev_fd, 8, err);
}

int devices_populate(struct newborn *self, struct error *err)
{
	const struct container_spec *spec = self->spec;
	int r = populate_defaults(self, err);

	if (r == 0 && spec->all_devices)
		r = populate_all(self, err);
	for (size_t i = 0; r == 0 && i < spec->device_count; i++)
		r = make_device(self, &spec->devices[i], err);
	return r;
}
