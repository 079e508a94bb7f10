/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_PUSH_H
#define RUNTIME_IMAGE_PUSH_H

/*
 * push.h - images from the store to registries, by the OCI distribution protocol.
 *
 * Blobs go first, several at a time, and only those that the registry has not: it is asked, and it
 * is told of another of its repositories that may have them. The manifest goes last, byte by byte
 * as it is in the store, so that its digest is the same there; until then nobody sees anything.
 */

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

#include "runtime/image/image.h"

enum push_state {
	/* of the image, whose layer is NULL */
	PUSH_IMAGE_STARTED,
	PUSH_IMAGE_PUSHED,
	PUSH_IMAGE_FAILED,
	/* of a layer */
	PUSH_LAYER_WAITING,
	PUSH_LAYER_HERE,
	PUSH_LAYER_MOUNTED, /* from another repository */
	PUSH_LAYER_PUSHING,
	PUSH_LAYER_PUSHED,
};

struct push_event {
	const char *name;  /* of the image, as it was given */
	const char *layer; /* twelve digits of the blob's digest, or NULL */
	enum push_state state;
	uint64_t current, total;
	const char *digest;        /* PUSH_IMAGE_PUSHED: of the manifest */
	const struct error *error; /* PUSH_IMAGE_FAILED */
};

struct push;
struct push_image;

/* @store is borrowed; what is in it stays while the push is there. */
int push_new(struct image_store *store, void (*progress)(void *data, const struct push_event *),
	     void *data, struct push **ret, struct error *err);
/* Whatever is under way ends. */
void push_free(struct push *push);

/* "ghcr.io/team/app:1", which has to be in the store. Starts with the next push_step(). */
struct push_image *push_add(struct push *push, const char *name);
/* Of an image for several platforms only that one, instead of the index and all of them. */
void push_set_platform(struct push_image *image, const char *platform);
/* The manifest @digest of the store, whatever it is called there, is pushed as @name, as it is. */
struct push_image *push_add_digest(struct push *push, const char *name, const char *digest);
/*
 * Something that is in no store: @manifest of type @media, and what it is made of. Copies. A name
 * may end with the manifest's own digest instead of a tag.
 */
struct push_piece {
	const void *data;
	size_t size;
};
struct push_image *push_add_artifact(struct push *push, const char *name, const char *media,
				     const char *manifest, const struct push_piece *pieces,
				     size_t count);
/* Of one that failed: the registry did not like the manifest (rather than us, or the network). */
bool push_refused(const struct push_image *image);
/* 1: it is there, 0: not yet, negative: it failed, as @err (may be NULL) says. */
int push_result(const struct push_image *image, struct error *err);
/* Of the manifest that was pushed, and its size. Borrowed. */
const char *push_digest(const struct push_image *image, uint64_t *ret_size);
/* Its media type. Borrowed. */
const char *push_media(const struct push_image *image);

/* As pull_step(). */
int push_step(struct push *push, struct pollfd *fds, size_t fd_count, int timeout_msec);

#endif
