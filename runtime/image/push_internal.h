/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_PUSH_INTERNAL_H
#define RUNTIME_IMAGE_PUSH_INTERNAL_H

/*
 * push_internal.h - images have blobs; a blob that two of them have is sent once a repository.
 */

#include "common/map.h"

#include "runtime/image/push.h"
#include "runtime/image/registry.h"
#include "runtime/image/store.h"

enum push_stage { PUSH_WAITING, PUSH_RUNNING, PUSH_DONE, PUSH_FAILED };

struct push_blob {
	struct push *push;
	char hex[SHA256_HEX_SIZE];
	char *registry, *repository;
	char *mount_from; /* another repository there that may have it */
	int fd;
	uint64_t size, sent, told;
	char *location; /* where the upload goes on */
	int attempts;
	enum push_stage stage;
	enum push_state outcome;
	struct error error;
	struct registry_request *request;
};

struct push_image {
	struct push *push;
	char *name;
	struct registry_name ref;
	char digest[DIGEST_SIZE];
	char *platform;            /* only the image for this one */
	char index[DIGEST_SIZE];   /* what is pushed is this, after its parts; or "" */
	struct push_image **parts; /* of the index; the push's */
	size_t part_count;
	const struct push_image *of; /* it is a part of this one, under whose name it is shown */
	bool as_is;                  /* its blobs' digests stand elsewhere as well */
	char *manifest, *media;      /* as it is in the store */
	size_t manifest_size;
	struct push_blob **blobs;
	size_t blob_count;
	bool artifact; /* it has its manifest from the start */
	bool refused;
	int *pieces; /* its blobs as memory files, until they are among the push's */
	size_t piece_count;
	enum push_stage stage;
	struct error error;
	struct registry_request *request;
	pid_t packer; /* while its layers are packed */
	int packed_fd;
};

struct push {
	struct image_store *store;
	struct registry *registry;
	int use_lock;
	bool packed; /* some layers: of the store's own plain ones there is waste */
	void (*progress)(void *data, const struct push_event *event);
	void *data;
	struct push_image **images;
	size_t image_count, uploading;
	struct map blobs; /* "registry/repository hex" to struct push_blob */
};

/* Tells it to every image that has this blob. */
void push_tell_blob(const struct push_blob *blob, enum push_state state, uint64_t current);

/* push_pack.c */
/* 1: it goes on with push_pack_end() once packed_fd can be read, 0: there is nothing to pack. */
int push_pack_begin(struct push_image *image, struct error *err);
int push_pack_end(struct push_image *image, struct error *err);
void push_pack_kill(struct push_image *image);

/* push_blob.c */
/* @fd: its bytes, taken; negative: they are in the store. */
struct push_blob *push_blob_get(struct push_image *image, const char *hex, int fd,
				struct error *err);
void push_blob_start(struct push_blob *blob);
void push_blob_free(void *blob);

#endif
