/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_LOAD_H
#define RUNTIME_IMAGE_LOAD_H

/*
 * load.h - the two forms of archives that image_load() takes, and what they share.
 */

#include <jansson.h>

#include "common/error.h"

#include "runtime/image/bundle.h"

struct loading {
	struct bundle bundle;
	struct staging *staging;
	char **names; /* loaded, as Docker prints them */
};

/* docker-archive: manifest.json. */
int load_docker(struct loading *loading, struct error *err);
/* OCI image layout: index.json. */
int load_oci(struct loading *loading, struct error *err);

/*
 * The layer @file with the given uncompressed digest upon chain @parent: unpacked unless it is
 * there already. @chain becomes its chain id. *ret_media is what kind of blob it is in the store;
 * one of a compression that OCI has not (xz) is stored uncompressed, and @digest and *ret_size
 * then say so.
 */
struct loaded_layer {
	char chain[SHA256_HEX_SIZE];
	char digest[DIGEST_SIZE];
	uint64_t size;
	const char *media;
};
int load_layer(struct loading *loading, struct bundle_file *file, const char *diff_id,
	       const char *parent, bool keep_form, struct loaded_layer *ret, struct error *err);

/* The manifest @digest of @size bytes becomes an image, named @reference (NULL: without a name). */
int load_publish(struct loading *loading, const char *media, const char *digest, size_t size,
		 const char *id, const char *reference, struct error *err);

#endif
