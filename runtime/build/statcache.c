// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/build/statcache.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/str.h"
#include "common/units.h"

#define MAGIC       "berth-stat-1\n\0\0"
#define ENTRIES_MAX (1 << 20)
#define UNSEEN_MIN  10000
/* Some file systems count whole seconds, FAT even two. */
#define NSEC_PER_SEC INT64_C(1000000000)
#define YOUNG_NSEC   (2 * NSEC_PER_SEC)

struct entry {
	uint64_t dev, ino, size;
	int64_t mtime_nsec, ctime_nsec;
	unsigned char digest[STATCACHE_DIGEST];
};

struct header {
	char magic[16];
	uint64_t count;
};

struct statcache {
	int dir;
	char *name;
	void *map;
	size_t map_size;
	const struct entry *old; /* sorted */
	size_t old_count;
	bool *seen; /* of the old ones */
	size_t seen_count;
	struct entry *fresh;
	size_t fresh_count;
	int64_t started_nsec;
};

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return x->dev < y->dev ? -1 : x->dev > y->dev;
}

static void load(struct statcache *cache)
{
	_cleanup_close_ int fd = openat(cache->dir, cache->name, O_RDONLY | O_CLOEXEC);
	const struct header *header;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(*header))
		return;
	cache->map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (cache->map == MAP_FAILED) {
		cache->map = NULL;
		return;
	}
	cache->map_size = (size_t)st.st_size;
	header = cache->map;
	if (memcmp(header->magic, MAGIC, sizeof(header->magic)) != 0 ||
	    header->count > ENTRIES_MAX ||
	    cache->map_size != sizeof(*header) + header->count * sizeof(struct entry))
		return;
	cache->old = (const struct entry *)(header + 1);
	cache->old_count = header->count;
	cache->seen = new_array(bool, header->count + 1);
}

struct statcache *statcache_new(int build_dir, const char *path)
{
	struct statcache *cache = new (struct statcache);
	char *whole = realpath(path, NULL);
	const char *of = whole ?: path;
	char hex[SHA256_HEX_SIZE];

	sha256_of(of, strlen(of), hex);
	free(whole);
	cache->dir = build_dir;
	cache->name = str_printf("stat/%s", hex);
	cache->started_nsec = units_now_nsec();
	load(cache);
	return cache;
}

static int64_t nsec_of(const struct timespec *time)
{
	return (int64_t)time->tv_sec * NSEC_PER_SEC + time->tv_nsec;
}

static struct entry key_of(const struct stat *st)
{
	return (struct entry){.dev = st->st_dev,
			      .ino = st->st_ino,
			      .size = (uint64_t)st->st_size,
			      .mtime_nsec = nsec_of(&st->st_mtim),
			      .ctime_nsec = nsec_of(&st->st_ctim)};
}

const unsigned char *statcache_find(struct statcache *cache, const struct stat *st)
{
	struct entry key = key_of(st);
	const struct entry *found;

	if (!cache->old_count)
		return NULL;
	found = bsearch(&key, cache->old, cache->old_count, sizeof(key), compare);
	if (!found || memcmp(found, &key, offsetof(struct entry, digest)) != 0)
		return NULL;
	if (!__atomic_exchange_n(&cache->seen[found - cache->old], true, __ATOMIC_RELAXED))
		__atomic_fetch_add(&cache->seen_count, 1, __ATOMIC_RELAXED);
	return found->digest;
}

void statcache_put(struct statcache *cache, const struct stat *st,
		   const unsigned char digest[STATCACHE_DIGEST])
{
	struct entry entry = key_of(st);

	if (entry.ctime_nsec > cache->started_nsec - YOUNG_NSEC ||
	    entry.mtime_nsec > cache->started_nsec - YOUNG_NSEC ||
	    cache->fresh_count >= ENTRIES_MAX)
		return;
	memcpy(entry.digest, digest, STATCACHE_DIGEST);
	*array_add(cache->fresh, cache->fresh_count) = entry;
}

/* The fresh ones, those that were seen, and others as long as they are few: steps of another build
 * may read them. */
static size_t merge(const struct statcache *cache, struct entry *all)
{
	size_t unseen = cache->old_count - cache->seen_count;
	size_t bound = 4 * (cache->fresh_count + cache->seen_count);
	bool keep_unseen = unseen <= (bound > UNSEEN_MIN ? bound : UNSEEN_MIN);
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < cache->fresh_count; i++)
		all[n++] = cache->fresh[i];
	for (size_t i = 0; i < cache->old_count; i++)
		if (cache->seen[i] || keep_unseen)
			all[n++] = cache->old[i];
	/* Of an inode that was given to another file the later one stays. */
	qsort(all, n, sizeof(*all), compare);
	for (size_t i = 0; i < n; i++)
		if (!kept || compare(&all[kept - 1], &all[i]) != 0)
			all[kept++] = all[i];
		else if (all[i].ctime_nsec > all[kept - 1].ctime_nsec)
			all[kept - 1] = all[i];
	return kept < ENTRIES_MAX ? kept : ENTRIES_MAX;
}

static void save(struct statcache *cache)
{
	size_t most = cache->fresh_count + cache->old_count;
	_cleanup_free_ char *data =
		alloc_zero(1, sizeof(struct header) + most * sizeof(struct entry));
	struct header *header = (struct header *)data;
	struct error err = ERROR_INIT;

	memcpy(header->magic, MAGIC, sizeof(header->magic));
	header->count = merge(cache, (struct entry *)(header + 1));
	if (mkdirat(cache->dir, "stat", 0700) < 0 && errno != EEXIST)
		return;
	if (fs_replace(cache->dir, cache->name, data,
		       sizeof(*header) + header->count * sizeof(struct entry), FS_ATOMIC, &err) < 0)
		log_debug("build: %s", err.message);
}

void statcache_free(struct statcache *cache)
{
	if (!cache)
		return;
	if (cache->fresh_count)
		save(cache);
	if (cache->map)
		munmap(cache->map, cache->map_size);
	free(cache->seen);
	free(cache->fresh);
	free(cache->name);
	free(cache);
}
