/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_IMAGE_STORE_HERE_H
#define COMPOSE_CLI_IMAGE_STORE_HERE_H

/*
 * store_here.h - the image store of this machine, as commands use it.
 */

#include <stdbool.h>

#include "common/error.h"

#include "runtime/image/image.h"

/* The one below paths_root(); image_store_close() ends it. */
int store_here_open(struct image_store **ret, struct error *err);
/* Whether it has @name, for whichever platform; one that cannot be read is not there. */
bool store_here_has(struct image_store *store, const char *name);

#endif
