// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/alloc.h"
#include "common/map.h"
#include "common/str.h"

static char *keys_of(const struct map *map)
{
	struct strbuf text = {0};

	map_foreach(entry, map)
		strbuf_add(&text, entry->key);
	return strbuf_take(&text);
}

Test(map, keeps_the_order_of_insertion)
{
	_cleanup_free_ char *keys = NULL;
	struct map map = {0};
	int a, b;

	cr_expect_null(map_get(&map, "x"));
	cr_expect_null(map_remove(&map, "x"));
	cr_expect_null(map_set(&map, "z", &a));
	cr_expect_null(map_set(&map, "y", &a));
	cr_expect_null(map_set(&map, "x", &a));
	cr_expect_eq(map_set(&map, "y", &b), &a);
	cr_expect_eq(map_get(&map, "y"), &b);
	cr_expect_eq(map_remove(&map, "z"), &a);
	cr_expect_null(map_get(&map, "z"));
	map_set(&map, "z", &b);
	cr_expect_eq(map.count, 3);
	keys = keys_of(&map);
	cr_expect_str_eq(keys, "yxz");
	map_done(&map, NULL);
	cr_expect_eq(map.count, 0);
	map_done(&map, NULL);
}

/* What a plain array of flags would say, after thousands of steps. */
Test(map, agrees_with_a_model)
{
	static char *present[500];
	struct map map = {0};
	unsigned seed = 1;
	size_t count = 0, seen = 0;

	for (int step = 0; step < 50000; step++) {
		int i = rand_r(&seed) % 500;
		char key[16];

		snprintf(key, sizeof(key), "key-%d", i);
		cr_assert_eq(map_get(&map, key), present[i]);
		if (rand_r(&seed) % 2) {
			char *value = alloc(1);

			free(map_set(&map, key, value));
			present[i] = value;
		} else {
			free(map_remove(&map, key));
			present[i] = NULL;
		}
	}
	for (int i = 0; i < 500; i++)
		count += present[i] != NULL;
	map_foreach(entry, &map)
		seen++;
	cr_expect_eq(map.count, count);
	cr_expect_eq(seen, count);
	cr_expect_lt(map.slot_count, 4096, "dead entries are dropped, not kept");
	map_done(&map, free);
}

Test(map, entries_may_be_removed_while_walking)
{
	struct map map = {0};
	char key[16];

	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "%d", i);
		map_set(&map, key, &map);
	}
	map_foreach(entry, &map) {
		snprintf(key, sizeof(key), "%s", entry->key);
		map_remove(&map, key);
	}
	cr_expect_eq(map.count, 0);
	map_done(&map, NULL);
}
