/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_CONTAINER_IDMAP_H
#define RUNTIME_CONTAINER_IDMAP_H

/*
 * idmap.h - layers seen with the ids of a user namespace. Syscalls only.
 */

#include "runtime/container/spec.h"

/*
 * Clones each layer (and the writable one) as an idmapped mount; @fds has room for all layers and
 * *ret is @rootfs with the clones in place.
 */
int idmap_layers(const struct rootfs_spec *rootfs, int *fds, struct rootfs_spec *ret,
		 struct error *err);

#endif
