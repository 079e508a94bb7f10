/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_VIEW_TREE_SIZE_H
#define COMPOSE_CLI_VIEW_TREE_SIZE_H

/*
 * tree_size.h - the bytes of all files below a folder, on its file system.
 */

#include <stdint.h>

/* 0 where there is none. Files with several names count once for each. */
uint64_t tree_size(const char *path);

#endif
