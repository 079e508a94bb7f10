/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_LAYER_H
#define RUNTIME_IMAGE_LAYER_H

/*
 * layer.h - a layer's tar becomes a directory, by a child process that is confined to it.
 *
 * The archive is hostile until proven otherwise. The child's root is the layer's directory, it
 * keeps only the capabilities that making files takes, cannot gain others, and is given the
 * archive, that directory and a pipe. Names are resolved beneath the directory besides. What the
 * archive may use up is bounded by what is free on the disk.
 */

#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"
#include "common/sha256.h"

struct layer_result {
	char diff_hex[SHA256_HEX_SIZE]; /* of the uncompressed archive */
	uint64_t archive_bytes;         /* uncompressed */
	uint64_t tree_bytes;            /* of all files */
	uint64_t entries;
};

/* Unpacks the stream at @fd into @dir; the uncompressed archive goes to @copy_fd (or nowhere: -1).
 */
int layer_unpack(int fd, int dir, int copy_fd, struct layer_result *ret, struct error *err);

/* A child that writes a tree as a tar, into a pipe. */
struct layer_pack {
	int fd; /* the tar, to be read */
	int error_fd;
	pid_t pid;
};

int layer_pack_start(struct layer_pack *ret, int dir, struct error *err);
/* Waits for it; the error is what kept it from writing all. */
int layer_pack_end(struct layer_pack *pack, struct error *err);

#endif
