// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * object.c - what the rows of a schema have in common: reading a mapping row by row, writing it,
 * releasing it, and saying what is not a row.
 */
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"

#include "compose/model/attribute.h"
#include "compose/model/meant.h"
#include "compose/tree/json_node.h"

/* Schemas are few and constant: the index by name is made once for each. */
struct schema_index {
	const struct schema *schema;
	const struct attribute *sorted[SCHEMA_ATTRIBUTES_MAX];
};

static struct schema_index indices[64];
static size_t index_count;

static int compare_names(const void *a, const void *b)
{
	return strcmp((*(const struct attribute *const *)a)->name,
		      (*(const struct attribute *const *)b)->name);
}

static const struct schema_index *index_of(const struct schema *schema)
{
	struct schema_index *index;

	for (size_t i = 0; i < index_count; i++)
		if (indices[i].schema == schema)
			return &indices[i];
	if (index_count >= ARRAY_SIZE(indices) || schema->count > SCHEMA_ATTRIBUTES_MAX)
		abort();
	index = &indices[index_count++];
	index->schema = schema;
	for (size_t i = 0; i < schema->count; i++)
		index->sorted[i] = &schema->attributes[i];
	qsort(index->sorted, schema->count, sizeof(index->sorted[0]), compare_names);
	return index;
}

const struct attribute *schema_attribute(const struct schema *schema, const char *name)
{
	const struct attribute key = {.name = name}, *wanted = &key;
	const struct attribute *const *found = bsearch(
		&wanted, index_of(schema)->sorted, schema->count, sizeof(wanted), compare_names);

	return found ? *found : NULL;
}

struct slot attribute_slot(const struct attribute *attribute, void *object)
{
	return (struct slot){
		.attribute = attribute,
		.field = attribute->field == NO_FIELD ? object : (char *)object + attribute->field,
		.count = attribute->count == NO_FIELD
				 ? NULL
				 : (size_t *)(void *)((char *)object + attribute->count),
	};
}

static json_t **rest_of(const struct schema *schema, void *object)
{
	if (schema->rest == NO_FIELD)
		return NULL;
	return (json_t **)(void *)((char *)object + schema->rest);
}

/* KIND.NAME.ATTRIBUTE; what is further down belongs to that. */
#define ATTRIBUTE_DEPTH 3

static void mark_broken(struct decoder *d, const char *attribute)
{
	char path[400];

	decoder_push(d, attribute);
	if (d->broken && d->depth == ATTRIBUTE_DEPTH)
		map_set(d->broken, decoder_path(d, path, sizeof(path)), DECODER_BROKEN);
	decoder_pop(d);
}

static bool is_broken(const struct node *node)
{
	if (node->broken)
		return true;
	node_foreach(child, node)
		if (is_broken(child))
			return true;
	return false;
}

/* A service that begins at the margin. */
static bool looks_like_service(const struct schema *schema, const struct node *child)
{
	return schema == &project_schema && (node_get(child, "image") || node_get(child, "build"));
}

static const char *meant_by(const struct schema *schema, const char *word)
{
	const char *object = schema == &volume_schema    ? "volumes"
			     : schema == &network_schema ? "networks"
							 : schema->what;

	return meant_elsewhere(object, word);
}

static void unknown_attribute(struct decoder *d, const struct node *child,
			      const struct schema *schema)
{
	struct node place = {.at = child->key_at.source ? child->key_at : child->at};
	const char *names[SCHEMA_ATTRIBUTES_MAX];
	const char *meant, *elsewhere;

	if (looks_like_service(schema, child)) {
		decode_problem(d, &place,
			       "additional properties '%s' not allowed; is it a service? indent it "
			       "below `services`",
			       child->key);
		return;
	}
	for (size_t i = 0; i < schema->count; i++)
		names[i] = schema->attributes[i].name;
	elsewhere = meant_by(schema, child->key);
	if (elsewhere) {
		decode_problem(d, &place, "additional properties '%s' not allowed; write '%s'",
			       child->key, elsewhere);
		return;
	}
	meant = d->report->kept < REPORT_MAX ? str_suggest(child->key, names, schema->count) : NULL;
	decode_problem(d, &place, "additional properties '%s' not allowed%s%s%s", child->key,
		       meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
	if (meant)
		mark_broken(d, meant);
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Maps inside of an extension are sorted as all maps are. */
static json_t *sorted(json_t *json)
{
	size_t n = json_object_size(json), i;
	_cleanup_free_ const char **keys = new_array(const char *, n + 1);
	json_t *value, *object;
	const char *key;

	json_array_foreach(json, i, value)
		json_array_set_new(json, i, sorted(json_incref(value)));
	if (!json_is_object(json))
		return json;
	i = 0;
	json_object_foreach(json, key, value)
		keys[i++] = key;
	qsort(keys, n, sizeof(*keys), compare_keys);
	object = json_object();
	for (i = 0; i < n; i++) {
		value = json_incref(json_object_get(json, keys[i]));
		json_object_set_new_nocheck(object, keys[i], sorted(value));
	}
	json_decref(json);
	return object;
}

static void keep(json_t **rest, const struct node *child)
{
	if (!rest)
		return;
	if (!*rest)
		*rest = json_object();
	json_object_set_new(*rest, child->key, sorted(node_to_json(child)));
}

static void decode_child(struct decoder *d, const struct node *child, const struct schema *schema,
			 void *object)
{
	const struct attribute *attribute = schema_attribute(schema, child->key);
	size_t problems = d->report->count;
	bool extension = str_starts_with(child->key, "x-");
	struct slot slot;

	/* One that is read all the same is written as it was. */
	if (extension)
		keep(rest_of(schema, object), child);
	else if (!attribute)
		unknown_attribute(d, child, schema);
	if (!attribute)
		return;
	decoder_push(d, child->key);
	slot = attribute_slot(attribute, object);
	if (child->kind == NODE_NULL && !attribute->shape->nullable)
		decode_problem(d, child, "is empty: give it a value, or leave it out");
	else
		attribute->shape->decode(d, child, &slot);
	decoder_pop(d);
	if (d->report->count && d->depth == ATTRIBUTE_DEPTH - 1 &&
	    (d->report->count > problems || is_broken(child)))
		mark_broken(d, child->key);
}

void decode_object(struct decoder *d, const struct node *node, const struct schema *schema,
		   void *object)
{
	if (!decode_mapping_kind(d, node))
		return;
	node_foreach(child, node)
		decode_child(d, child, schema, object);
}

/* x-*, sorted, behind everything else; kept attributes have rows of their own. */
static void encode_extensions(json_t *object, json_t *rest)
{
	size_t n = json_object_size(rest), count = 0;
	_cleanup_free_ const char **keys = new_array(const char *, n + 1);
	const char *key;
	json_t *value;

	json_object_foreach(rest, key, value)
		if (str_starts_with(key, "x-"))
			keys[count++] = key;
	qsort(keys, count, sizeof(*keys), compare_keys);
	for (size_t i = 0; i < count; i++)
		json_object_set(object, keys[i], json_object_get(rest, keys[i]));
}

json_t *encode_object(const struct schema *schema, const void *object)
{
	json_t *json = json_object();
	json_t **rest = rest_of(schema, (void *)object);

	for (size_t i = 0; i < schema->count; i++) {
		const struct attribute *attribute = &schema->attributes[i];
		struct slot slot = attribute_slot(attribute, (void *)object);
		json_t *value = attribute->shape->encode ? attribute->shape->encode(&slot) : NULL;

		if (value)
			json_object_set_new_nocheck(json, attribute->name, value);
	}
	if (rest && *rest)
		encode_extensions(json, *rest);
	return json;
}

void release_object(const struct schema *schema, void *object)
{
	json_t **rest = rest_of(schema, object);

	for (size_t i = 0; i < schema->count; i++) {
		struct slot slot = attribute_slot(&schema->attributes[i], object);

		if (schema->attributes[i].shape->release)
			schema->attributes[i].shape->release(&slot);
	}
	if (rest) {
		json_decref(*rest);
		*rest = NULL;
	}
}

static void drop_below(const struct shape *shape, json_t *value)
{
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_array(value))
		json_array_foreach(value, i, item)
			schema_drop_extensions(shape->schema, item);
	else if (shape->elements)
		json_object_foreach(value, key, item)
			schema_drop_extensions(shape->schema, item);
	else
		schema_drop_extensions(shape->schema, value);
}

void schema_drop_extensions(const struct schema *schema, json_t *object)
{
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe(object, next, key, value)
	{
		const struct attribute *attribute = schema_attribute(schema, key);

		if (attribute && attribute->shape->schema)
			drop_below(attribute->shape, value);
		else if (!attribute && str_starts_with(key, "x-"))
			json_object_del(object, key);
	}
}
