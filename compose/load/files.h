/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_FILES_H
#define COMPOSE_LOAD_FILES_H

/* files.h - the text of one file, within bounds. */

#include "compose/load/loader.h"

/*
 * The source stays the loader's. -ENOENT: "open PATH: no such file or directory", without a
 * position.
 */
int files_read(struct loader *l, const char *path, size_t limit, struct source **ret,
	       struct error *err);

#endif
