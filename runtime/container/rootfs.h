/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_CONTAINER_ROOTFS_H
#define RUNTIME_CONTAINER_ROOTFS_H

/*
 * rootfs.h - the stack of layers as one detached mount. Syscalls only.
 */

#include "runtime/container/spec.h"

/*
 * An fd of the root's mount. *ret_own is set when the process had to enter a mount namespace of
 * its own for it, and the mount then is an attached one there (kernels before 6.7, many layers).
 */
int rootfs_make(const struct rootfs_spec *rootfs, bool *ret_own, struct error *err);

/* The two ways for older kernels; for rootfs_make() and its test. */
int rootfs_overlay_by_names(const struct rootfs_spec *rootfs, struct error *err);
int rootfs_overlay_by_mount(const struct rootfs_spec *rootfs, bool *ret_own, struct error *err);

/* A mount namespace of our own, from which nothing spreads. */
int rootfs_unshare(struct error *err);

#endif
