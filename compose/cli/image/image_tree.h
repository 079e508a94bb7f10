/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_IMAGE_IMAGE_TREE_H
#define COMPOSE_CLI_IMAGE_IMAGE_TREE_H

/*
 * image_tree.h - `image ls --tree`: each image with the platforms that its name stands for, what
 * they take on the disk, and a "U" where a container uses them.
 */

#include "runtime/image/image.h"

/* Its rows to @rows; one that is damaged gets none, and is warned of. */
void image_tree_add(struct image_store *store, const struct image *image, json_t *rows);
int image_tree_print(json_t *rows, struct error *err);

#endif
