/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_IMAGE_IMAGE_ROWS_H
#define COMPOSE_CLI_IMAGE_IMAGE_ROWS_H

/*
 * image_rows.h - images as `docker images` and `docker inspect` word them.
 */

#include <jansson.h>
#include <stdbool.h>

#include "runtime/image/image.h"

/* {Repository, Tag, ID, CreatedAt, CreatedSince, Size, ...}; new reference. */
json_t *image_row(const struct image *image, bool truncate);
/* One element of the array that `image inspect` prints; new reference. */
int image_inspect(struct image_store *store, const struct image *image, json_t **ret,
		  struct error *err);

#endif
