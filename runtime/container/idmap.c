// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/container/idmap.h"

#include <fcntl.h>
#include <sys/mount.h>

#include "common/cleanup.h"

static int idmap_clone(int fd, int userns_fd)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (__u64)userns_fd};
	_cleanup_close_ int tree =
		open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -errno;
	return TAKE_FD(tree);
}

int idmap_layers(const struct rootfs_spec *rootfs, int *fds, struct rootfs_spec *ret,
		 struct error *err)
{
	for (size_t i = 0; i < rootfs->layer_count; i++) {
		fds[i] = idmap_clone(rootfs->layer_fds[i], rootfs->userns_fd);
		if (fds[i] < 0)
			return error_code(err, fds[i], "root file system: map the ids of layer %zu",
					  i + 1);
	}
	/*
	 * The writable layer stays as it is: overlayfs asks that upper and work lie on one mount,
	 * and its owner made it for the mapped root.
	 */
	*ret = *rootfs;
	ret->layer_fds = fds;
	return 0;
}
