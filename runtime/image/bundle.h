/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_BUNDLE_H
#define RUNTIME_IMAGE_BUNDLE_H

/*
 * bundle.h - what `image load` is given, a tar or a directory, as files found by their path.
 *
 * Of a tar that is a file itself only the headers are read at first, and of a directory nothing:
 * what they hold is read where it lies, once, when it is asked for. A tar that comes through a
 * pipe or is compressed is read once, front to back, since manifest.json stands at its end: every
 * file of it goes into staging, its digest known.
 */

#include <stdint.h>

#include "common/error.h"
#include "common/map.h"

#include "runtime/image/store.h"

struct bundle_file {
	char *staged; /* name below staging->dir; NULL: it is where it was, or became a blob */
	char *path;   /* of a directory's file */
	char hex[SHA256_HEX_SIZE]; /* "": not known yet */
	uint64_t offset, size;     /* in what bundle_read() opens */
};

struct bundle {
	struct staging *staging;
	int folder;       /* -EBADF: a tar */
	int archive;      /* a tar that is read where it lies, or -EBADF */
	struct map files; /* path to struct bundle_file */
	struct map links; /* path to the path it is a link to */
};

int bundle_open(struct bundle *bundle, struct staging *staging, int fd, struct error *err);
void bundle_done(struct bundle *bundle);

/* -ENOENT: there is none. Borrowed. */
int bundle_find(struct bundle *bundle, const char *path, struct bundle_file **ret,
		struct error *err);
/* A descriptor whose bytes from file->offset on are its content; pread() them. */
int bundle_read(struct bundle *bundle, const struct bundle_file *file, struct error *err);
/* Its digest is known then. */
int bundle_read_json(struct bundle *bundle, const char *path, json_t **ret, struct error *err);
/* It is a blob of the image, and its digest is known: makes it one of the store, once. */
int bundle_keep(struct bundle *bundle, struct bundle_file *file, struct error *err);

#endif
