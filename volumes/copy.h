/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VOLUMES_COPY_H
#define VOLUMES_COPY_H

/*
 * copy.h - a directory's content copied as `cp -a` does: owners, modes, times, hard links, holes,
 * extended attributes, special files; data shared with the original where the file system can.
 * No link of the source is ever followed.
 */

#include "common/error.h"

/* Copies what is in @source into @target, which takes over its owner, mode and times as well. */
int copy_tree(int source, int target, struct error *err);

#endif
