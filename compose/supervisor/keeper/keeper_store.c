// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/keeper/keeper_store.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"

/* The names are in order: with thousands of containers nothing looks at all of them. */
static size_t store_find(const struct keeper_store *store, const char *name, size_t length)
{
	size_t low = 0, high = store->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strncmp(store->items[middle].name, name, length) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void keeper_store_drop(struct keeper_store *store, const char *name)
{
	size_t length = strlen(name);
	bool prefix = length && name[length - 1] == '*';
	size_t compared = prefix ? length - 1 : length + 1;
	size_t first = store_find(store, name, compared), end = first;

	for (; end < store->count; end++) {
		if (strncmp(store->items[end].name, name, compared) != 0)
			break;
		close(store->items[end].fd);
		free(store->items[end].name);
	}
	if (end == first)
		return;
	memmove(store->items + first, store->items + end,
		(store->count - end) * sizeof(*store->items));
	store->count -= end - first;
}

static void add(struct keeper_store *store, const char *name, int fd)
{
	struct stored *slot;
	size_t at;

	keeper_store_drop(store, name);
	at = store_find(store, name, strlen(name) + 1);
	(void)array_add(store->items, store->count);
	slot = store->items + at;
	memmove(slot + 1, slot, (store->count - 1 - at) * sizeof(*slot));
	slot->name = alloc_string(name);
	slot->fd = fd;
}

void keeper_store_add(struct keeper_store *store, char *names, const int *fds, size_t count)
{
	char *rest = names, *name;
	size_t i = 0;

	while (i < count && (name = strsep(&rest, "\n")) && *name)
		add(store, name, fds[i++]);
	for (; i < count; i++)
		close(fds[i]);
}
