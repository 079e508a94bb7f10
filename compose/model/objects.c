// SPDX-License-Identifier: GPL-2.0-or-later
/* objects.c - maps of objects: services, networks, volumes, dependencies, ... sorted by key. */
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/map.h"

#include "compose/model/shapes.h"

/* Services of a project, networks of a service, ...: far beyond what a machine can run. */
#define OBJECTS_MAX 100000

static char **key_of(const struct shape *shape, void *object)
{
	return (char **)(void *)((char *)object + shape->key_offset);
}

static void *grow(const struct shape *shape, const struct slot *slot)
{
	void **items = slot->field;

	*items = alloc_grow(*items, *slot->count, shape->element_size);
	return (char *)*items + (*slot->count)++ * shape->element_size;
}

static int compare_children(const void *a, const void *b)
{
	return strcmp((*(const struct node *const *)a)->key, (*(const struct node *const *)b)->key);
}

#define KEY_LENGTH_MAX 255

/* Keys become parts of names on the machine, of paths and of host names. */
static bool is_key(const char *s)
{
	size_t length = strlen(s);

	return length && length <= KEY_LENGTH_MAX && strcmp(s, ".") && strcmp(s, "..") &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       length;
}

/* "image: x" as a service: its line is not indented below the service's. */
static bool is_attribute_of_service(const struct shape *shape, const struct node *child)
{
	return shape->schema == &service_schema && child->kind != NODE_MAPPING &&
	       child->kind != NODE_NULL && schema_attribute(&service_schema, child->key);
}

static void misplaced_attribute(struct decoder *d, const struct node *child)
{
	struct node place = {.at = child->key_at.source ? child->key_at : child->at};

	decode_problem(d, &place,
		       "must be a mapping, not %s; to be an attribute it has to be indented below "
		       "its service",
		       node_kind_name(child));
}

static void decode_element(struct decoder *d, const struct node *node, const struct shape *shape,
			   void *object)
{
	char path[300];

	decoder_push(d, node->key);
	if (is_attribute_of_service(shape, node))
		misplaced_attribute(d, node);
	else if (node->kind != NODE_NULL || !shape->nullable)
		decode_object(d, node, shape->schema, object);
	if (d->broken && node->kind != NODE_MAPPING &&
	    !(node->kind == NODE_NULL && shape->nullable))
		map_set(d->broken, decoder_path(d, path, sizeof(path)), DECODER_BROKEN);
	decoder_pop(d);
}

static void bad_key(struct decoder *d, const struct node *child)
{
	struct node place = {.at = child->key_at.source ? child->key_at : child->at};

	if (strlen(child->key) > KEY_LENGTH_MAX)
		decode_problem(d, &place,
			       "additional properties '%.40s...' not allowed: a name of %zu "
			       "characters; %d is the most",
			       child->key, strlen(child->key), KEY_LENGTH_MAX);
	else
		decode_problem(d, &place,
			       "additional properties '%s' not allowed: a name is made of letters, "
			       "digits, "
			       "'.', '_' and '-'",
			       child->key);
}

void decode_objects(struct decoder *d, const struct node *node, const struct slot *slot)
{
	const struct shape *shape = slot->attribute->shape;
	_cleanup_free_ struct node **sorted = NULL;

	if (!decode_mapping_kind(d, node))
		return;
	if (node->count > OBJECTS_MAX) {
		decode_problem(d, node, "has %zu elements; %d is the most", node->count,
			       OBJECTS_MAX);
		return;
	}
	sorted = new_array(struct node *, node->count + 1);
	for (size_t i = 0; i < node->count; i++)
		sorted[i] = node->items[i];
	qsort(sorted, node->count, sizeof(struct node *), compare_children);
	for (size_t i = 0; i < node->count; i++) {
		void *object = grow(shape, slot);

		*key_of(shape, object) = alloc_string(sorted[i]->key);
		if (!is_key(sorted[i]->key))
			bad_key(d, sorted[i]);
		decode_element(d, sorted[i], shape, object);
	}
}

json_t *encode_objects(const struct slot *slot)
{
	const struct shape *shape = slot->attribute->shape;
	char *items = *(char **)slot->field;
	json_t *json;

	if (!*slot->count)
		return NULL;
	json = json_object();
	for (size_t i = 0; i < *slot->count; i++, items += shape->element_size)
		json_object_set_new_nocheck(json, *key_of(shape, items),
					    encode_object(shape->schema, items));
	return json;
}

void release_objects(const struct slot *slot)
{
	const struct shape *shape = slot->attribute->shape;
	char *items = *(char **)slot->field;

	for (size_t i = 0; i < *slot->count; i++, items += shape->element_size) {
		release_object(shape->schema, items);
		free(*key_of(shape, items));
	}
	free(*(void **)slot->field);
	*(void **)slot->field = NULL;
	*slot->count = 0;
}

/* By halves as load leaves them; one by one where somebody put them together otherwise. */
void *objects_find(void *items, size_t count, size_t size, size_t key_offset, const char *key)
{
	char *base = items;
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		char *object = base + middle * size;
		int order = strcmp(key, *(char **)(void *)(object + key_offset));

		if (!order)
			return object;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	for (size_t i = 0; i < count; i++, base += size)
		if (!strcmp(key, *(char **)(void *)(base + key_offset)))
			return base;
	return NULL;
}

void rows_unify(void *items, size_t *count, size_t size,
		void (*key)(const void *row, struct strbuf *text), void (*release)(void *row))
{
	struct map seen = {0};
	struct strbuf text = {0};
	char *rows = items;
	size_t kept = 0;

	for (size_t i = 0; i < *count; i++) {
		size_t place;

		text.length = 0;
		key(rows + i * size, &text);
		place = (size_t)(uintptr_t)map_get(&seen, text.data);
		if (place) {
			release(rows + (place - 1) * size);
		} else {
			place = ++kept;
			map_set(&seen, text.data, (void *)(uintptr_t)place);
		}
		if (place - 1 != i)
			memcpy(rows + (place - 1) * size, rows + i * size, size);
	}
	*count = kept;
	map_done(&seen, NULL);
	strbuf_done(&text);
}
