/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_BUNDLE_H
#define RUNTIME_IMAGE_BUNDLE_H

/*
 * bundle.h - what `image load` is given, a tar or a directory, as files found by their path.
 *
 * Every file is in staging by the time it is returned, its digest known; a tar is read once,
 * front to back, since manifest.json stands at its end.
 */

#include <stdint.h>

#include "common/error.h"
#include "common/map.h"

#include "runtime/image/store.h"

struct bundle_file {
	char *staged; /* name below staging->dir; NULL once it became a blob */
	char hex[SHA256_HEX_SIZE];
	uint64_t size;
};

struct bundle {
	struct staging *staging;
	int folder;       /* -EBADF: a tar */
	struct map files; /* path to struct bundle_file */
	struct map links; /* path to the path it is a link to */
};

int bundle_open(struct bundle *bundle, struct staging *staging, int fd, struct error *err);
void bundle_done(struct bundle *bundle);

/* -ENOENT: there is none. Borrowed. */
int bundle_find(struct bundle *bundle, const char *path, struct bundle_file **ret,
		struct error *err);
/* Its content, to be read from the start. */
int bundle_read(struct bundle *bundle, const struct bundle_file *file, struct error *err);
int bundle_read_json(struct bundle *bundle, const char *path, json_t **ret, struct error *err);
/* It is a blob of the image: makes it one of the store, once. */
void bundle_keep(struct bundle *bundle, struct bundle_file *file);

#endif
