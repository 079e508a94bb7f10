/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_BUILD_STATCACHE_H
#define RUNTIME_BUILD_STATCACHE_H

/*
 * statcache.h - digests of a context's files, kept from build to build: a file whose inode, size
 * and times are what they were has the content that it had.
 *
 *     build/stat/HASH    of the context's path: a header, and entries sorted by inode
 *
 * What was changed just before it was read is not kept: its times could stay the same through
 * another change. A file that is no such cache, or of another version, counts as empty.
 */

#include <sys/stat.h>

#include "common/error.h"
#include "common/sha256.h"

#define STATCACHE_DIGEST 32

struct statcache;

/* Of the folder @path (any name for it). */
struct statcache *statcache_new(int build_dir, const char *path);
/* Writes what is new, where there is anything. A failure costs time at the next build only. */
void statcache_free(struct statcache *cache);

/* The digest that was kept of this file, or NULL; the cache's own. Several threads may ask. */
const unsigned char *statcache_find(struct statcache *cache, const struct stat *st);
/* @st is from before the file was read. */
void statcache_put(struct statcache *cache, const struct stat *st,
		   const unsigned char digest[STATCACHE_DIGEST]);

#endif
