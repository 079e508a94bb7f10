// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"

#include "compose/model/shapes.h"

void mapping_add(struct mapping *mapping, const char *key, const char *value)
{
	struct key_value *item = array_add(mapping->items, mapping->count);

	item->key = alloc_string(key);
	item->value = alloc_string(value);
}

void mapping_release(struct mapping *mapping)
{
	for (size_t i = 0; i < mapping->count; i++) {
		free(mapping->items[i].key);
		free(mapping->items[i].value);
	}
	free(mapping->items);
	*mapping = (struct mapping){0};
}

const char *mapping_get(const struct mapping *mapping, const char *key)
{
	for (size_t i = 0; i < mapping->count; i++)
		if (!strcmp(mapping->items[i].key, key))
			return mapping->items[i].value;
	return NULL;
}

struct numbered {
	struct key_value item;
	size_t number;
};

static int compare_numbered(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;
	int order = strcmp(x->item.key, y->item.key);

	return order ? order : x->number < y->number ? -1 : 1;
}

static bool is_sorted(const struct mapping *mapping)
{
	for (size_t i = 1; i < mapping->count; i++)
		if (strcmp(mapping->items[i - 1].key, mapping->items[i].key) >= 0)
			return false;
	return true;
}

void mapping_sort(struct mapping *mapping)
{
	struct numbered *rows;
	size_t kept = 0;

	if (is_sorted(mapping))
		return;
	rows = new_array(struct numbered, mapping->count);
	for (size_t i = 0; i < mapping->count; i++)
		rows[i] = (struct numbered){mapping->items[i], i};
	qsort(rows, mapping->count, sizeof(*rows), compare_numbered);
	for (size_t i = 0; i < mapping->count; i++) {
		if (i + 1 < mapping->count && !strcmp(rows[i].item.key, rows[i + 1].item.key)) {
			free(rows[i].item.key);
			free(rows[i].item.value);
		} else {
			mapping->items[kept++] = rows[i].item;
		}
	}
	mapping->count = kept;
	free(rows);
}

/* "KEY=VALUE", or "KEY" alone. */
static void add_entry(struct mapping *mapping, const char *entry, bool null_is_empty)
{
	const char *equals = strchr(entry, '=');
	struct key_value *item = array_add(mapping->items, mapping->count);

	if (equals) {
		item->key = alloc_string_n(entry, (size_t)(equals - entry));
		item->value = alloc_string(equals + 1);
	} else {
		item->key = alloc_string(entry);
		item->value = null_is_empty ? alloc_string("") : NULL;
	}
}

static void decode_value(struct decoder *d, const struct node *child, struct mapping *ret,
			 bool null_is_empty)
{
	struct key_value *item;

	decoder_push(d, child->key);
	if (!node_is_scalar(child) || child->date) {
		decode_wrong_type(d, child, "a string, a number, a boolean or null");
	} else {
		item = array_add(ret->items, ret->count);
		item->key = alloc_string(child->key);
		item->value = node_scalar_text(child);
		if (!item->value && null_is_empty)
			item->value = alloc_string("");
	}
	decoder_pop(d);
}

bool decode_mapping(struct decoder *d, const struct node *node, struct mapping *ret,
		    bool null_is_empty)
{
	size_t i = 0;

	if (node_is_scalar(node)) {
		decode_wrong_type(d, node, "a mapping");
		return false;
	}
	node_foreach(child, node) {
		if (node->kind == NODE_MAPPING) {
			decode_value(d, child, ret, null_is_empty);
			continue;
		}
		decoder_push_index(d, i++);
		if (child->kind == NODE_STRING && !child->date)
			add_entry(ret, child->text, null_is_empty);
		else
			decode_wrong_type(d, child, "a string");
		decoder_pop(d);
	}
	if (node->kind == NODE_SEQUENCE)
		decode_unique_items(d, node);
	mapping_sort(ret);
	return true;
}

static void environment_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	decode_mapping(d, node, slot->field, false);
}

static void labels_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	decode_mapping(d, node, slot->field, true);
}

static void options_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	if (decode_mapping_kind(d, node))
		decode_mapping(d, node, slot->field, true);
}

static json_t *mapping_encode(const struct slot *slot)
{
	const struct mapping *mapping = slot->field;
	json_t *json;

	if (!mapping->count)
		return NULL;
	json = json_object();
	for (size_t i = 0; i < mapping->count; i++) {
		const struct key_value *item = &mapping->items[i];

		json_object_set_new_nocheck(json, item->key,
					    item->value ? json_string_nocheck(item->value)
							: json_null());
	}
	return json;
}

static void mapping_slot_release(const struct slot *slot)
{
	mapping_release(slot->field);
}

const struct shape shape_environment = {environment_decode, mapping_encode, mapping_slot_release};
const struct shape shape_labels = {labels_decode, mapping_encode, mapping_slot_release};
const struct shape shape_options = {options_decode, mapping_encode, mapping_slot_release};
