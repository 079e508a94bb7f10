/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_PULL_INTERNAL_H
#define RUNTIME_IMAGE_PULL_INTERNAL_H

/*
 * pull_internal.h - what a pull consists of: images want layers, layers are unpacked from blobs,
 * blobs come from the registry. Each is there once, however many want it.
 *
 * A blob is written to its file in staging as it comes, and hashed. A child for each layer unpacks
 * what it is fed from that file, so that a slow disk never holds up the network, nor a connection
 * that broke the unpacking.
 */

#include <sys/types.h>

#include "common/map.h"
#include "common/sha256.h"

#include "runtime/image/layer.h"
#include "runtime/image/manifest.h"
#include "runtime/image/pull.h"
#include "runtime/image/registry.h"
#include "runtime/image/store.h"

enum pull_stage { PULL_WAITING, PULL_RUNNING, PULL_DONE, PULL_FAILED };

struct pull_blob {
	struct pull *pull;
	char hex[SHA256_HEX_SIZE];
	uint64_t size, received, told; /* told: of received, to the user */
	struct blob_source {
		char *registry, *repository;
	} * sources; /* who have it: each is asked, once those before have failed */
	size_t source_count, source;
	char *staged; /* its name, until it is whole */
	int fd;       /* what is here of it, to be read */
	struct sha256 sha;
	enum pull_stage stage;
	struct error error;
	struct registry_request *request;
};

struct pull_layer {
	struct pull *pull;
	char chain[SHA256_HEX_SIZE], diff_hex[SHA256_HEX_SIZE];
	struct pull_blob *blob;
	enum pull_stage stage;
	struct error error;
	char *tree_name;
	int tree;
	/* The child that unpacks. */
	pid_t pid;
	int feed, result; /* pipes to and from it */
	uint64_t fed;
};

struct pull_image {
	struct pull *pull;
	char *name; /* as asked for */
	char *normalized;
	struct registry_name ref;
	enum pull_policy policy;
	json_t *platform;
	json_t *own_platform; /* as its config says */
	bool platform_asked;
	enum pull_stage stage;
	struct error error;

	struct registry_request *request;
	char target[DIGEST_SIZE]; /* what the name means at the registry: an index, mostly */
	char wanted[DIGEST_SIZE]; /* of the manifest or config under way; "": not known before */
	uint64_t wanted_size;
	int depth;
	json_t *manifest;
	struct manifest decoded;
	json_t *descriptor; /* for index.json */
	struct pull_layer *layers[IMAGE_LAYERS_MAX];
	size_t layer_count;
	bool layers_known;
};

struct pull {
	struct image_store *store;
	struct staging staging;
	struct registry *registry;
	void (*progress)(void *data, const struct pull_event *event);
	void *data;
	struct pull_image **images;
	size_t image_count;
	struct map blobs;  /* hex to struct pull_blob */
	struct map layers; /* chain id to struct pull_layer */
	size_t downloading, unpacking;
	bool committed, wasted; /* some are in the store; of others parts may be */
};

void pull_tell(struct pull_image *image, enum pull_state state);
/* Tells it to every image that has a layer of this blob. */
void pull_tell_blob(struct pull_blob *blob, enum pull_state state, uint64_t current);

/* pull_image.c */
void pull_image_start(struct pull_image *image);
/* All its layers may be there. */
void pull_image_check(struct pull_image *image);
void pull_image_fail(struct pull_image *image, const struct error *error);
void pull_image_free(struct pull_image *image);

/* pull_blob.c: the blob that @descriptor names, which may be here already. Borrowed. */
struct pull_blob *pull_blob_get(struct pull_image *image, const struct descriptor *descriptor,
				struct error *err);
void pull_blob_start(struct pull_blob *blob);
void pull_blob_free(void *blob);
/* A descriptor of its own to read a blob that is whole. */
int pull_blob_open(struct pull_blob *blob, struct error *err);

/* pull_layer.c */
struct pull_layer *pull_layer_get(struct pull *pull, const char *chain, const char *diff_hex,
				  struct pull_blob *blob);
void pull_layer_start(struct pull_layer *layer);
/* Gives the child what has come meanwhile. */
void pull_layer_feed(struct pull_layer *layer);
/* The child has said its last word, or its pipe is closed. */
void pull_layer_end(struct pull_layer *layer);
void pull_layer_fail(struct pull_layer *layer, const struct error *error);
/* Its blob comes once more, from the beginning. */
void pull_layer_restart(struct pull_layer *layer);
void pull_layer_free(void *layer);

#endif
