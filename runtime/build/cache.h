/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_BUILD_CACHE_H
#define RUNTIME_BUILD_CACHE_H

/*
 * cache.h - what steps made, under the key of what they were made from; and the folders of
 * RUN --mount=type=cache.
 *
 *     build/cache/KEY.json    a record: the layer (kept by it in the store), when it was made
 *     build/mounts/HASH/      data, a record, a lock
 *
 * A record is written after its layer is in the store, and its layer is not collected while it is
 * there. Its time of change says when it was last of use.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/sha256.h"

#include "runtime/image/image.h"

struct run_mount;

struct cache_record {
	char diff[SHA256_HEX_SIZE], chain[SHA256_HEX_SIZE]; /* "": nothing was changed */
	uint64_t tree_bytes;
	int64_t created_nsec;
};

/* -ENOENT without @err: there is none, or its layer is gone. Marks it as used. */
int cache_find(int build_dir, struct image_store *store, const char *key, struct cache_record *ret);
bool cache_has(int build_dir, const char *key);
int cache_put(int build_dir, const char *key, const struct cache_record *record, const char *text,
	      struct error *err);

/*
 * The folder of a cache mount, made when it is missing (*ret_fresh), held as its sharing wants: the
 * lock ends when *ret_lock is closed. Waits for one that is "locked".
 */
int cache_mount_open(int root, const struct run_mount *mount, int *ret_lock, bool *ret_fresh,
		     struct error *err);

struct cache_prune_options {
	int64_t before_nsec; /* only what was not used since; 0: whatever the time */
	uint64_t keep_bytes; /* the latest that fit are kept; 0: none */
	uint64_t free_bytes; /* more is not removed than makes the disk have so much; 0: whatever */
	bool mounts;         /* cache mounts as well */
	bool strict;         /* both limits count: what is young goes as well when it is too much */
};

/* What an entry of the cache is: for `builder du`. */
struct cache_entry {
	char *key, *text;
	bool mount;
	uint64_t bytes;
	int64_t used_nsec;
};

/* Sorted, the latest first. */
int cache_list(const char *root, struct cache_entry **ret, size_t *ret_count, struct error *err);
void cache_list_free(struct cache_entry *entries, size_t count);
/* *ret_bytes: so much is free now. What a build uses just now stays. */
int cache_prune(const char *root, const struct cache_prune_options *options, uint64_t *ret_bytes,
		size_t *ret_entries, struct error *err);

/*
 * After a build, at most once an hour: what was not used for sixty days goes, and what is more than
 * a tenth of the file system (at least 2 GB), as "builder": {"gc": {"enabled",
 * "defaultKeepStorage", "keepDuration"}} of /etc/berth/builder.json (BERTH_BUILDER) or docker's
 * daemon.json may say.
 */
void cache_limit(const char *root);

#endif
