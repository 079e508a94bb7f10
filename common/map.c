// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/map.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/alloc.h"

#define SLOT_EMPTY   0
#define SLOT_REMOVED UINT32_MAX /* others hold the entry's index plus one */
#define SLOTS_MIN    8

static uint64_t rotate(uint64_t x, int bits)
{
	return (x << bits) | (x >> (64 - bits));
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

/* The seed of the process. Without randomness the address space's own has to do. */
static const uint64_t *hash_seed(void)
{
	static uint64_t seed[2];
	static int seeded;

	if (!seeded) {
		if (getrandom(seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
			seed[0] = (uintptr_t)&seed ^ (uintptr_t)getenv("PATH");
		seeded = 1;
	}
	return seed;
}

/* SipHash-1-3: keys that collide cannot be chosen by who does not know the seed. */
static uint64_t hash_key(const char *key)
{
	const uint64_t *seed = hash_seed();
	size_t length = strlen(key), at = 0;
	uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575, seed[1] ^ 0x646f72616e646f6d,
			 seed[0] ^ 0x6c7967656e657261, seed[1] ^ 0x7465646279746573};
	uint64_t word;

	for (; length - at >= 8; at += 8) {
		memcpy(&word, key + at, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = 0;
	memcpy(&word, key + at, length - at);
	word ^= htole64((uint64_t)length << 56);
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* How many entries, dead ones included, this many slots serve: probes always meet an empty one. */
static size_t entries_max(size_t slot_count)
{
	return slot_count / 4 * 3;
}

static void slot_put(struct map *map, uint64_t hash, uint32_t value)
{
	size_t mask = map->slot_count - 1, i = hash & mask;

	while (map->slots[i] != SLOT_EMPTY)
		i = (i + 1) & mask;
	map->slots[i] = value;
}

/* The slot of @key, or NULL. */
static uint32_t *slot_find(const struct map *map, const char *key, uint64_t hash)
{
	size_t mask = map->slot_count - 1;

	if (map->slot_count == 0)
		return NULL;
	for (size_t i = hash & mask; map->slots[i] != SLOT_EMPTY; i = (i + 1) & mask) {
		const struct map_entry *entry;

		if (map->slots[i] == SLOT_REMOVED)
			continue;
		entry = &map->entries[map->slots[i] - 1];
		if (entry->hash == hash && strcmp(entry->key, key) == 0)
			return &map->slots[i];
	}
	return NULL;
}

/* Drops the dead entries and makes room for twice the living ones. */
static void rebuild(struct map *map)
{
	size_t slot_count = SLOTS_MIN, kept = 0;

	while (entries_max(slot_count) < (map->count + 1) * 3 / 2)
		slot_count *= 2;
	for (size_t i = 0; i < map->used; i++)
		if (map->entries[i].key)
			map->entries[kept++] = map->entries[i];
	map->used = kept;
	map->entries = alloc_resize(map->entries, entries_max(slot_count), sizeof(*map->entries));
	free(map->slots);
	map->slots = new_array(uint32_t, slot_count);
	map->slot_count = slot_count;
	for (size_t i = 0; i < map->used; i++)
		slot_put(map, map->entries[i].hash, (uint32_t)i + 1);
}

void *map_get(const struct map *map, const char *key)
{
	const uint32_t *slot = map->count ? slot_find(map, key, hash_key(key)) : NULL;

	return slot ? map->entries[*slot - 1].value : NULL;
}

void *map_set(struct map *map, const char *key, void *value)
{
	uint64_t hash = hash_key(key);
	const uint32_t *slot = slot_find(map, key, hash);
	void *before;

	if (slot) {
		before = map->entries[*slot - 1].value;
		map->entries[*slot - 1].value = value;
		return before;
	}
	if (map->used >= entries_max(map->slot_count))
		rebuild(map);
	map->entries[map->used] = (struct map_entry){alloc_string(key), value, hash};
	map->used++;
	map->count++;
	slot_put(map, hash, (uint32_t)map->used);
	return NULL;
}

void *map_remove(struct map *map, const char *key)
{
	uint32_t *slot = map->count ? slot_find(map, key, hash_key(key)) : NULL;
	struct map_entry *entry;
	void *value;

	if (!slot)
		return NULL;
	entry = &map->entries[*slot - 1];
	*slot = SLOT_REMOVED;
	value = entry->value;
	free(entry->key);
	*entry = (struct map_entry){0};
	map->count--;
	return value;
}

void map_done(struct map *map, void (*free_value)(void *))
{
	map_foreach(entry, map) {
		free(entry->key);
		if (free_value)
			free_value(entry->value);
	}
	free(map->entries);
	free(map->slots);
	*map = (struct map){0};
}
