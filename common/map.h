/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_MAP_H
#define COMMON_MAP_H

/*
 * map.h - strings to pointers, in the order of insertion, found in constant time.
 *
 * The map copies its keys and borrows its values. {0} is the empty map. Hashing is keyed by a
 * random seed, since keys come from files that others wrote.
 */

#include <stddef.h>
#include <stdint.h>

struct map_entry {
	char *key;
	void *value;
	uint64_t hash;
};

struct map {
	struct map_entry *entries; /* in order of insertion; a removed one has a NULL key */
	size_t used, count;        /* entries written; of these, alive */
	uint32_t *slots;
	size_t slot_count;
};

void *map_get(const struct map *map, const char *key); /* NULL when it is not there */
/* Returns the value that stood there before, or NULL. */
void *map_set(struct map *map, const char *key, void *value);
void *map_remove(struct map *map, const char *key);
/* Releases the map; with @free_value also each value. The map is empty afterwards. */
void map_done(struct map *map, void (*free_value)(void *));

#define map_foreach(entry, map)                                      \
	for (struct map_entry *entry = (map)->entries;               \
	     entry && entry < (map)->entries + (map)->used; entry++) \
		if (entry->key)

#endif
