// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/tree/node.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

/* From so many keys on, a mapping is looked up by a hash. */
#define INDEX_FROM 12

struct source *source_new(const char *name, const char *path)
{
	struct source *source = new (struct source);

	source->name = alloc_string(name);
	source->path = alloc_string(path);
	return source;
}

void source_free(struct source *source)
{
	if (!source)
		return;
	free(source->name);
	free(source->path);
	free(source->directory);
	free(source->text);
	free(source);
}

const char *position_text(const struct position *at, char *buffer, size_t size)
{
	if (!at || !at->source)
		snprintf(buffer, size, "%s", "");
	else if (!at->line)
		snprintf(buffer, size, "%s", at->source->name);
	else
		snprintf(buffer, size, "%s:%u:%u", at->source->name, at->line, at->column);
	return buffer;
}

int error_at(struct error *err, const struct position *at, const char *format, ...)
{
	char where[sizeof(err->where)], message[sizeof(err->message)];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	return error_where(err, position_text(at, where, sizeof(where)), "%s", message);
}

struct node *node_new(enum node_kind kind, const struct position *at)
{
	struct node *node = new (struct node);

	node->kind = kind;
	if (at)
		node->at = *at;
	return node;
}

struct node *node_string(const char *text, const struct position *at)
{
	struct node *node = node_new(NODE_STRING, at);

	node->text = alloc_string(text);
	return node;
}

static void drop_index(struct node *node)
{
	if (!node->index)
		return;
	map_done(node->index, NULL);
	free(node->index);
	node->index = NULL;
}

/* Releases what the node says and leaves its key. */
static void node_clear(struct node *node)
{
	drop_index(node);
	for (size_t i = 0; i < node->count; i++)
		node_free(node->items[i]);
	free(node->items);
	free(node->text);
	node->items = NULL;
	node->count = 0;
	node->text = NULL;
}

void node_free(struct node *node)
{
	if (!node)
		return;
	node_clear(node);
	free(node->key);
	free(node);
}

struct node *node_copy(const struct node *node)
{
	struct node *copy = alloc_copy(node, sizeof(*node));

	copy->key = alloc_string(node->key);
	copy->text = alloc_string(node->text);
	copy->index = NULL;
	copy->items = NULL;
	copy->count = 0;
	for (size_t i = 0; i < node->count; i++)
		*array_add(copy->items, copy->count) = node_copy(node->items[i]);
	return copy;
}

static struct map *make_index(const struct node *mapping)
{
	struct map *index = new (struct map);

	for (size_t i = 0; i < mapping->count; i++)
		map_set(index, mapping->items[i]->key, mapping->items[i]);
	return index;
}

struct node *node_get(const struct node *mapping, const char *key)
{
	if (!mapping || mapping->kind != NODE_MAPPING)
		return NULL;
	if (mapping->count >= INDEX_FROM) {
		if (!mapping->index)
			((struct node *)mapping)->index = make_index(mapping);
		return map_get(mapping->index, key);
	}
	for (size_t i = 0; i < mapping->count; i++)
		if (!strcmp(mapping->items[i]->key, key))
			return mapping->items[i];
	return NULL;
}

void node_set(struct node *mapping, const char *key, struct node *value)
{
	struct node *there = node_get(mapping, key);

	if (there) {
		node_replace(there, value);
		return;
	}
	if (value->key != key) {
		free(value->key);
		value->key = alloc_string(key);
	}
	if (!value->key_at.source)
		value->key_at = value->at;
	if (mapping->index)
		map_set(mapping->index, key, value);
	*array_add(mapping->items, mapping->count) = value;
}

void node_append(struct node *sequence, struct node *item)
{
	*array_add(sequence->items, sequence->count) = item;
}

struct node *node_take(struct node *parent, size_t i)
{
	struct node *item = parent->items[i];

	drop_index(parent);
	memmove(&parent->items[i], &parent->items[i + 1],
		(parent->count - i - 1) * sizeof(*parent->items));
	parent->count--;
	return item;
}

void node_remove(struct node *mapping, const char *key)
{
	for (size_t i = 0; mapping && i < mapping->count; i++) {
		if (strcmp(mapping->items[i]->key, key))
			continue;
		node_free(node_take(mapping, i));
		return;
	}
}

void node_replace(struct node *node, struct node *other)
{
	char *key = TAKE_PTR(node->key);
	struct position key_at = other->key_at.source ? other->key_at : node->key_at;

	node_clear(node);
	free(other->key);
	*node = *other;
	node->key = key;
	node->key_at = key_at;
	free(other);
}

size_t node_count(const struct node *node)
{
	size_t n = 1;

	node_foreach(child, node)
		n += node_count(child);
	return n;
}

bool node_is_scalar(const struct node *node)
{
	return node->kind != NODE_SEQUENCE && node->kind != NODE_MAPPING;
}

static bool mapping_equal(const struct node *a, const struct node *b)
{
	node_foreach(child, a) {
		const struct node *other = node_get(b, child->key);

		if (!other || !node_equal(child, other))
			return false;
	}
	return true;
}

bool node_equal(const struct node *a, const struct node *b)
{
	if (a->kind != b->kind || a->count != b->count)
		return false;
	switch (a->kind) {
	case NODE_NULL:
		return true;
	case NODE_BOOL:
		return a->boolean == b->boolean;
	case NODE_INT:
		return a->integer == b->integer;
	case NODE_FLOAT:
		return a->number == b->number;
	case NODE_STRING:
		return str_equal(a->text, b->text);
	case NODE_MAPPING:
		return mapping_equal(a, b);
	case NODE_SEQUENCE:
		for (size_t i = 0; i < a->count; i++)
			if (!node_equal(a->items[i], b->items[i]))
				return false;
		return true;
	}
	return false;
}

const char *node_kind_name(const struct node *node)
{
	static const char *const names[] = {
		[NODE_NULL] = "null",         [NODE_BOOL] = "a boolean",
		[NODE_INT] = "a number",      [NODE_FLOAT] = "a number",
		[NODE_STRING] = "a string",   [NODE_SEQUENCE] = "a list",
		[NODE_MAPPING] = "a mapping",
	};

	return names[node->kind];
}

char *node_scalar_text(const struct node *node)
{
	char number[400];

	switch (node->kind) {
	case NODE_BOOL:
		return alloc_string(node->boolean ? "true" : "false");
	case NODE_INT:
		return str_printf("%lld", (long long)node->integer);
	case NODE_FLOAT:
		/* Whole numbers that only an unsigned integer holds keep their digits. */
		if (strspn(node->text ? node->text : "x", "0123456789") == 20 && !node->text[20] &&
		    strcmp(node->text, "18446744073709551615") <= 0)
			return alloc_string(node->text);
		node_format_number(node->number, number, sizeof(number));
		return alloc_string(number);
	case NODE_STRING:
		return alloc_string(node->text);
	default:
		return NULL;
	}
}
