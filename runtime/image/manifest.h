/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_MANIFEST_H
#define RUNTIME_IMAGE_MANIFEST_H

/*
 * manifest.h - manifests and indexes (OCI image-spec 1.1, Docker manifest v2 schema 2) as others
 * wrote them: what in them is of use, and what is wrong with them.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

#include "runtime/image/store.h"

#define MEDIA_DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MANIFEST_ACCEPT \
	MEDIA_OCI_INDEX ", " MEDIA_DOCKER_LIST ", " MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_MANIFEST

#define MANIFEST_DEPTH_MAX 4 /* of indexes in indexes */
#define MANIFEST_LIST_MAX  1000

struct descriptor {
	const char *media, *digest; /* borrowed from the JSON; a valid sha256 digest */
	uint64_t size;
};

enum manifest_kind { MANIFEST_IMAGE, MANIFEST_INDEX };

/* By what it says of itself, or else by @content_type (may be NULL). *ret_media is borrowed. */
int manifest_kind(const json_t *json, const char *content_type, const char **ret_media,
		  struct error *err);

/* Of an index, the image that suits @platform (platform_describe()) best. */
int manifest_choose(const json_t *index, const json_t *platform, struct descriptor *ret,
		    struct error *err);

struct manifest {
	struct descriptor config, layers[IMAGE_LAYERS_MAX];
	size_t layer_count;
};

/* An image's manifest. -ENOTSUP: it is one of something else, or has foreign layers. */
int manifest_decode(const json_t *json, struct manifest *ret, struct error *err);
/* The uncompressed digests that @config has for its layers, as hex, borrowed. */
int manifest_diff_ids(const struct manifest *manifest, const json_t *config,
		      const char *ret_hex[IMAGE_LAYERS_MAX], struct error *err);

#endif
