// SPDX-License-Identifier: GPL-2.0-or-later
/* blocks.c - what most families are made of: an object within an object, and lists of objects. */
#include <string.h>

#include "common/alloc.h"

#include "compose/model/shapes.h"

void decode_block(struct decoder *d, const struct node *node, const struct slot *slot)
{
	if (node->kind == NODE_NULL)
		return;
	*(bool *)slot->field = true;
	decode_object(d, node, slot->attribute->shape->schema, slot->field);
}

json_t *encode_block(const struct slot *slot)
{
	if (!*(bool *)slot->field)
		return NULL;
	return encode_object(slot->attribute->shape->schema, slot->field);
}

void release_block(const struct slot *slot)
{
	release_object(slot->attribute->shape->schema, slot->field);
}

void *rows_add(const struct slot *slot)
{
	const struct shape *shape = slot->attribute->shape;
	char **items = slot->field;

	*items = alloc_grow(*items, *slot->count, shape->element_size);
	return *items + (*slot->count)++ * shape->element_size;
}

void decode_rows(struct decoder *d, const struct node *node, const struct slot *slot)
{
	size_t i = 0;

	if (!decode_sequence_kind(d, node))
		return;
	node_foreach(item, node) {
		decoder_push_index(d, i++);
		decode_object(d, item, slot->attribute->shape->schema, rows_add(slot));
		decoder_pop(d);
	}
}

json_t *encode_rows(const struct slot *slot)
{
	const struct shape *shape = slot->attribute->shape;
	const char *items = *(char **)slot->field;
	json_t *json;

	if (!*slot->count)
		return NULL;
	json = json_array();
	for (size_t i = 0; i < *slot->count; i++)
		json_array_append_new(
			json, encode_object(shape->schema, items + i * shape->element_size));
	return json;
}

void release_rows(const struct slot *slot)
{
	const struct shape *shape = slot->attribute->shape;
	char **items = slot->field;

	for (size_t i = 0; i < *slot->count; i++)
		release_object(shape->schema, *items + i * shape->element_size);
	free(TAKE_PTR(*items));
	*slot->count = 0;
}

bool decode_word(struct decoder *d, const struct node *node, char **ret, const char *const *words,
		 size_t count)
{
	_cleanup_strbuf_ struct strbuf list = {0};
	const char *meant;

	if (!decode_string(d, node, ret))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(words[i], *ret))
			return true;
		strbuf_addf(&list, "%s%s", i ? ", " : "", words[i]);
	}
	meant = str_suggest(*ret, words, count);
	decode_problem(d, node, "must be one of %s, not \"%s\"%s%s%s", list.data, *ret,
		       meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
	return false;
}
