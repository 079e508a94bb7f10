/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_PULL_H
#define RUNTIME_IMAGE_PULL_H

/*
 * pull.h - images from a registry, by the OCI distribution protocol, into the store.
 *
 * A pull is a set of images that are fetched side by side: layers that several of them share are
 * fetched once, some at a time, unpacked while they come in, and resumed where a connection broke.
 * Every digest and every length is held against what named it. An image is in the store once all of
 * it is; what failed or was killed on the way leaves nothing.
 *
 * Credentials, mirrors and certificates are those of the machine and its user (registry.h).
 */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#include "runtime/image/image.h"

enum pull_policy {
	PULL_ALWAYS,  /* asks the registry; fetches what is not here */
	PULL_MISSING, /* an image that is here (and of the platform asked for) is not asked for */
};

enum pull_state {
	/* of the image, whose layer is NULL */
	PULL_IMAGE_STARTED,
	PULL_IMAGE_PULLED,
	PULL_IMAGE_HERE, /* the registry has the same */
	PULL_IMAGE_FAILED,
	/* of a layer */
	PULL_LAYER_WAITING,
	PULL_LAYER_HERE,
	PULL_LAYER_DOWNLOADING,
	PULL_LAYER_RETRYING, /* the connection broke; current: seconds until it is tried again */
	PULL_LAYER_EXTRACTING,
	PULL_LAYER_PULLED,
};

struct pull_event {
	const char *name;  /* of the image, as it was asked for */
	const char *layer; /* twelve digits of the blob's digest, or NULL */
	enum pull_state state;
	uint64_t current, total;   /* bytes; 0 where there are none to tell */
	const struct error *error; /* PULL_IMAGE_FAILED */
};

struct pull_options {
	const char *platform; /* "linux/arm64/v8"; NULL: this machine's */
	enum pull_policy policy;
	/* Borrowed; called from within the functions below, often. May be NULL. */
	void (*progress)(void *data, const struct pull_event *event);
	void *data;
};

/*
 * One image, waiting for it. *ret (may be NULL) is the image, to be freed.
 *
 * -ENOENT: the registry has no such image. -EACCES: it wants (other) credentials. -EHOSTUNREACH: it
 * cannot be reached. -EBADMSG: what it sent is not what it promised.
 */
int image_pull(struct image_store *store, const char *name, const struct pull_options *options,
	       struct image **ret, struct error *err);

/*
 * The digest that @name has at its registry now, "sha256:...": of the index where there is one. New
 * string. Fetches nothing.
 */
int image_resolve(const char *name, char **ret_digest, struct error *err);

/* Several at once, driven by the caller. */
struct pull;
struct pull_image;

int pull_new(struct image_store *store, void (*progress)(void *data, const struct pull_event *),
	     void *data, struct pull **ret, struct error *err);
/* Whatever is under way ends, and nothing of it stays. */
void pull_free(struct pull *pull);

/* options->progress and data are not looked at. Starts with the next pull_step(). */
struct pull_image *pull_add(struct pull *pull, const char *name,
			    const struct pull_options *options);
/* 1: it is here, 0: not yet, negative: it failed, as @err (may be NULL) says. */
int pull_result(const struct pull_image *image, struct error *err);

/*
 * Goes on with all of them, waiting @timeout_msec (-1: without limit) for something to happen on
 * the network or on one of @fds (may be NULL), whose revents are filled in. 1: some are not done
 * yet; 0: all are, well or not.
 */
int pull_step(struct pull *pull, struct pollfd *fds, size_t fd_count, int timeout_msec);

#endif
