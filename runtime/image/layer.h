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

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"
#include "common/sha256.h"

struct extract_usage;

struct layer_result {
	char diff_hex[SHA256_HEX_SIZE]; /* of the uncompressed archive */
	char blob_hex[SHA256_HEX_SIZE]; /* of the archive as it is, when it was asked for */
	uint64_t archive_bytes;         /* uncompressed */
	uint64_t tree_bytes;            /* of all files */
	uint64_t entries;
};

/* Unpacks the stream at @fd into @dir; the uncompressed archive goes to @copy_fd (or nowhere: -1).
 */
int layer_unpack(int fd, int dir, int copy_fd, struct layer_result *ret, struct error *err);

/* The same with all choices, and in two halves, so that layers are unpacked side by side. */
struct layer_options {
	int fd;
	bool part; /* only @size bytes from @offset on, whatever the descriptor's position */
	uint64_t offset, size;
	bool digest; /* blob_hex is wanted */
	int blob_fd; /* with digest: gets the archive as it is; -1: nothing does */
	int copy_fd; /* gets the uncompressed archive; -1: nothing does */
	int dir;
	bool verify_only;     /* nothing is unpacked: only diff_hex is wanted */
	const char *diff_hex; /* of an archive that is not compressed, when it is known already */
	struct extract_usage *usage; /* shared with others that run; NULL: its own */
};

struct layer_job;

int layer_start(const struct layer_options *options, struct layer_job **ret, struct error *err);
/* Readable once it is about to end. */
int layer_job_fd(const struct layer_job *job);
/* Waits for it, and frees it. */
int layer_end(struct layer_job *job, struct layer_result *ret, struct error *err);
/* Ends and frees it, whatever it is at. NULL is fine. */
void layer_cancel(struct layer_job *job);

/* A child that writes a tree as a tar, into a pipe. */
struct layer_pack {
	int fd; /* the tar, to be read */
	int error_fd;
	pid_t pid;
};

/*
 * @prefix (NULL: none): a folder that all is put into, of an archive that others are appended to:
 * nothing follows its end mark, two blocks of zeros.
 */
int layer_pack_start(struct layer_pack *ret, int dir, const char *prefix, struct error *err);
/* Waits for it; the error is what kept it from writing all. */
int layer_pack_end(struct layer_pack *pack, struct error *err);
/* The same from beginning to end, of the tree @root, into @out. */
int layer_pack_write(int root, const char *prefix, int out, struct error *err);

/*
 * An overlay's upper directory, unmounted, becomes a layer: what only that mount needed is taken
 * off it, and its archive, whiteouts and all, goes to @blob_fd (or nowhere: -1) and into @ret.
 * @below (-EBADF: nothing) is the tree it was mounted upon: a directory hides there what is there.
 * Times after @latest_nsec become that one; INT64_MAX: all stay. *ret_changed: there is anything.
 */
int layer_seal(int dir, int below, int64_t latest_nsec, int blob_fd, struct layer_result *ret,
	       bool *ret_changed, struct error *err);
/* The archive once more, of a layer's directory: the same bytes. */
int layer_repack(int dir, int blob_fd, struct layer_result *ret, struct error *err);

#endif
