/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_BUILD_TRANSFER_H
#define RUNTIME_BUILD_TRANSFER_H

/*
 * transfer.h - the build cache elsewhere: cache_from and cache_to.
 *
 * What is elsewhere is an OCI image: its layers, and in its config, beside rootfs, the records
 * (TRANSFER_RECORDS: a list of {"key", "diff", "created", "bytes", "step"}). type=local is an OCI
 * layout in a folder, type=registry an image there; type=inline puts the records into the config
 * of the image that is built. A layer is fetched once a step needs it, is held against its digests,
 * and is from then on part of the machine's own cache.
 */

#include <jansson.h>
#include <stdbool.h>

#include "common/error.h"

#include "runtime/build/cache.h"

#define TRANSFER_RECORDS "berth.buildcache.v1"

struct build;
struct transfer;
struct tree;

/* Nothing is read yet. -EINVAL: an option is not one. */
int transfer_new(struct build *build, struct transfer **ret, struct error *err);
void transfer_free(struct transfer *transfer);

/*
 * The record of @key at one of the sources, which are read when first asked; one that cannot be
 * read is warned of, once. ret->chain is left empty.
 */
bool transfer_find(struct transfer *transfer, const char *key, struct cache_record *ret);
/* The layer @tree of such a record is unpacked into the build's staging. */
int transfer_fetch(struct transfer *transfer, const struct tree *tree, struct error *err);

/* type=inline: what is to be in the config of the image. */
void transfer_put_inline(struct transfer *transfer, json_t *config);
/* Before the commit: the image of each destination is staged. */
int transfer_stage(struct transfer *transfer, struct error *err);
/* After it: they go where they are to go. */
int transfer_send(struct transfer *transfer, struct error *err);

#endif
