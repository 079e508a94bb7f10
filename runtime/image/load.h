/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_LOAD_H
#define RUNTIME_IMAGE_LOAD_H

/*
 * load.h - the two forms of archives that image_load() takes, and what they share.
 *
 * load_docker() and load_oci() read what the archive says of its images and take down which layers
 * they need; load_layers_run() unpacks these side by side; then each image is published.
 */

#include <jansson.h>

#include "common/error.h"

#include "runtime/image/bundle.h"

/* A file of the archive that becomes one layer. */
struct load_layer {
	struct bundle_file *file;
	char *what; /* for errors: "layer 3" */
	char chain[SHA256_HEX_SIZE], diff_hex[SHA256_HEX_SIZE];
	char expected_hex[SHA256_HEX_SIZE]; /* of the file, as a descriptor says; "" */
	/* Its blob must be the file as it is, whatever its compression. Otherwise one of a
	 * compression that OCI has not (xz) is stored uncompressed. */
	bool keep_form;

	/* What became of it: the blob in the store. */
	char digest[DIGEST_SIZE];
	uint64_t size;
	const char *media;
};

struct load_image {
	struct bundle_file *config;
	struct bundle_file *manifest; /* NULL: one is made */
	const char *media;            /* of the manifest; borrowed from @owner */
	json_t *owner;
	struct load_layer **layers; /* borrowed from the loading */
	size_t layer_count;
	char **references; /* none: an image without a name */
};

struct loading {
	struct bundle bundle;
	struct staging *staging;
	json_t *platform; /* that is wanted (platform.h) */
	bool platform_asked;
	struct load_layer **layers;
	size_t layer_count;
	struct load_image **images;
	size_t image_count;
	char **names; /* loaded, as Docker prints them */
};

/* docker-archive: manifest.json. */
int load_docker(struct loading *loading, struct error *err);
/* OCI image layout: index.json. */
int load_oci(struct loading *loading, struct error *err);

struct load_image *load_add_image(struct loading *loading, struct bundle_file *config);
/*
 * The layer @file with the given uncompressed digest upon the image's last. @expected_hex and
 * @keep_form as above. @what is taken.
 */
int load_add_layer(struct loading *loading, struct load_image *image, struct bundle_file *file,
		   const char *diff_id, const char *expected_hex, bool keep_form, char *what,
		   struct error *err);

/* Unpacks all that were added and are not there yet. */
int load_layers_run(struct loading *loading, struct error *err);

#endif
