/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VOLUMES_DETACHED_H
#define VOLUMES_DETACHED_H

/*
 * detached.h - the kernel's mount API with its error texts: what mount.c and volume_mount.c are
 * made of. Every fd returned is a mount attached nowhere, close-on-exec, the caller's to close.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

/* A file system context for @type. fd. */
int detached_fs_open(const char *type, struct error *err);
/* One parameter; a NULL @value sets a flag. The kernel's own words are in the error. */
int detached_fs_set(int fs, const char *key, const char *value, struct error *err);
/* Makes the superblock and mounts it with @attributes (MOUNT_ATTR_*). */
int detached_fs_mount(int fs, uint64_t attributes, struct error *err);

/* Changes attributes of a mount (and of those below it with @recursive). 0 or -errno. */
int detached_set(int mount, uint64_t attributes, uint64_t propagation, bool recursive);

/*
 * A mount of @inside, a descriptor of something in the detached @mount. Kernels before 6.15 clone
 * only what is attached in the caller's mount namespace; there a child attaches it in one of its
 * own for the moment.
 */
int detached_clone_inside(int mount, int inside, struct error *err);
/* That child's way, on any kernel. */
int detached_clone_by_child(int mount, int inside, struct error *err);

#endif
