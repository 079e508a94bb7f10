// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * merge.c - a later file on top of an earlier one, by the rule of each attribute's row.
 *
 * Lists only grow here; that two ports or mounts are the same one is seen when they are read in
 * their long form, where the later one takes the earlier one's place.
 */
#include "compose/load/merge.h"

#include <string.h>

#include "common/alloc.h"

#include "compose/model/shapes.h"

static void merge_value(struct loader *l, struct node *base, struct node *over,
			const struct attribute *attribute);

static void cannot_merge(struct loader *l, const struct node *base, struct node *over)
{
	char where[128];

	report_add(&l->report, &over->at, "cannot override %s: %s here, but %s at %s",
		   over->key ? over->key : "value", node_kind_name(over), node_kind_name(base),
		   position_text(&base->at, where, sizeof(where)));
	node_free(over);
}

static void merge_object(struct loader *l, struct node *base, struct node *over,
			 const struct schema *schema)
{
	for (size_t i = 0; i < over->count; i++) {
		struct node *child = TAKE_PTR(over->items[i]);
		struct node *there = node_get(base, child->key);

		if (child->tag == NODE_RESET) {
			node_remove(base, child->key);
			node_free(child);
		} else if (!there) {
			node_set(base, child->key, child);
		} else if (child->tag == NODE_OVERRIDE) {
			node_replace(there, child);
		} else {
			merge_value(l, there, child,
				    schema ? schema_attribute(schema, child->key) : NULL);
		}
	}
	node_free(over);
}

/* Of each element of a map of objects, the attributes by their rows. */
static void merge_elements(struct loader *l, struct node *base, struct node *over,
			   const struct schema *schema)
{
	for (size_t i = 0; i < over->count; i++) {
		struct node *child = TAKE_PTR(over->items[i]);
		struct node *there = node_get(base, child->key);

		if (child->tag == NODE_RESET) {
			node_remove(base, child->key);
			node_free(child);
		} else if (!there) {
			node_set(base, child->key, child);
		} else if (child->tag == NODE_OVERRIDE || there->kind == NODE_NULL) {
			node_replace(there, child);
		} else if (child->kind == NODE_NULL) {
			node_free(child);
		} else if (child->kind != NODE_MAPPING || there->kind != NODE_MAPPING) {
			cannot_merge(l, there, child);
		} else {
			merge_object(l, there, child, schema);
		}
	}
	node_free(over);
}

/* Texts are looked up in @texts; what is not text is compared one by one. */
static bool has_equal(const struct node *list, size_t count, const struct map *texts,
		      const struct node *item)
{
	if (item->kind == NODE_STRING)
		return map_get(texts, item->text);
	for (size_t i = 0; i < count; i++)
		if (node_equal(list->items[i], item))
			return true;
	return false;
}

/* Only what both files say is dropped: a repetition in one of them is that file's mistake. */
static void merge_lists(struct node *base, struct node *over)
{
	size_t before = base->count;
	struct map texts = {0};

	node_foreach(item, base)
		if (item->kind == NODE_STRING)
			map_set(&texts, item->text, base);
	for (size_t i = 0; i < over->count; i++) {
		struct node *item = TAKE_PTR(over->items[i]);

		if (has_equal(base, before, &texts, item))
			node_free(item);
		else
			node_append(base, item);
	}
	map_done(&texts, NULL);
	node_free(over);
}

/* "KEY=VALUE" and "KEY" to a mapping; what is neither stays for the reader to complain about. */
static bool to_mapping(struct node *node)
{
	struct node *mapping;

	if (node->kind != NODE_SEQUENCE)
		return node->kind == NODE_MAPPING;
	node_foreach(item, node)
		if (item->kind != NODE_STRING)
			return false;
	mapping = node_new(NODE_MAPPING, &node->at);
	node_foreach(item, node) {
		const char *equals = strchr(item->text, '=');
		_cleanup_free_ char *key = alloc_string_n(
			item->text, equals ? (size_t)(equals - item->text) : strlen(item->text));

		node_set(mapping, key,
			 equals ? node_string(equals + 1, &item->at)
				: node_new(NODE_NULL, &item->at));
	}
	node_replace(node, mapping);
	return true;
}

static void merge_mappings(struct loader *l, struct node *base, struct node *over)
{
	if (!to_mapping(base) || !to_mapping(over)) {
		cannot_merge(l, base, over);
		return;
	}
	for (size_t i = 0; i < over->count; i++) {
		struct node *child = TAKE_PTR(over->items[i]);

		if (child->tag == NODE_RESET) {
			node_remove(base, child->key);
			node_free(child);
		} else {
			node_set(base, child->key, child);
		}
	}
	node_free(over);
}

/* A list of names to a mapping, each with the value that the name alone stands for. */
static bool names_to_mapping(struct node *node, bool dependencies)
{
	struct node *mapping;

	if (node->kind != NODE_SEQUENCE)
		return node->kind == NODE_MAPPING;
	node_foreach(item, node)
		if (item->kind != NODE_STRING)
			return false;
	mapping = node_new(NODE_MAPPING, &node->at);
	node_foreach(item, node) {
		struct node *value = node_new(dependencies ? NODE_MAPPING : NODE_NULL, &item->at);

		if (dependencies)
			node_set(value, "condition", node_string("service_started", &item->at));
		node_set(mapping, item->text, value);
	}
	node_replace(node, mapping);
	return true;
}

static void to_list(struct node *node)
{
	struct node *list, *copy;

	if (node->kind == NODE_SEQUENCE)
		return;
	list = node_new(NODE_SEQUENCE, &node->at);
	if (node_is_scalar(node)) {
		copy = node_copy(node);
		free(TAKE_PTR(copy->key));
		node_append(list, copy);
	}
	node_foreach(child, node) {
		_cleanup_free_ char *text = child->kind == NODE_STRING
						    ? str_printf("%s=%s", child->key, child->text)
						    : alloc_string(child->key);

		node_append(list, node_string(text, &child->at));
	}
	node_replace(node, list);
}

/* `build: .` is {context: .} */
static void context_to_mapping(struct node *node)
{
	struct node *mapping;

	if (node->kind != NODE_STRING)
		return;
	mapping = node_new(NODE_MAPPING, &node->at);
	node_set(mapping, "context", node_string(node->text, &node->at));
	node_replace(node, mapping);
}

static bool same_driver(const struct node *base, const struct node *over)
{
	const struct node *a = node_get(base, "driver"), *b = node_get(over, "driver");

	return !a || !b || node_equal(a, b);
}

static void merge_ipam(struct loader *l, struct node *base, struct node *over)
{
	for (size_t i = 0; i < over->count; i++) {
		struct node *pool = TAKE_PTR(over->items[i]), *same = NULL;
		const struct node *subnet = node_get(pool, "subnet");

		node_foreach(other, base) {
			const struct node *its = node_get(other, "subnet");

			if (subnet && its && node_equal(subnet, its))
				same = other;
		}
		if (same)
			merge_object(l, same, pool, NULL);
		else
			node_append(base, pool);
	}
	node_free(over);
}

static void merge_deep(struct loader *l, struct node *base, struct node *over,
		       const struct shape *shape)
{
	if (base->kind == NODE_MAPPING && over->kind == NODE_MAPPING) {
		if (shape && shape->elements)
			merge_elements(l, base, over, shape->schema);
		else
			merge_object(l, base, over, shape ? shape->schema : NULL);
	} else if (base->kind == NODE_SEQUENCE && over->kind == NODE_SEQUENCE) {
		merge_lists(base, over);
	} else if (node_is_scalar(base) && node_is_scalar(over)) {
		node_replace(base, over);
	} else {
		cannot_merge(l, base, over);
	}
}

static void merge_value(struct loader *l, struct node *base, struct node *over,
			const struct attribute *attribute)
{
	enum merge_rule rule = attribute ? attribute->merge : MERGE_DEEP;
	bool dependencies = rule == MERGE_DEPENDENCIES;

	if (over->kind == NODE_NULL || base->kind == NODE_NULL) {
		if (over->kind == NODE_NULL)
			node_free(over);
		else
			node_replace(base, over);
		return;
	}
	switch (rule) {
	case MERGE_REPLACE:
		node_replace(base, over);
		return;
	case MERGE_MAPPING:
		merge_mappings(l, base, over);
		return;
	case MERGE_NAMES:
	case MERGE_DEPENDENCIES:
		if (!names_to_mapping(base, dependencies) || !names_to_mapping(over, dependencies))
			cannot_merge(l, base, over);
		else
			merge_elements(l, base, over, attribute->shape->schema);
		return;
	case MERGE_LIST:
		if (attribute->shape != &shape_extra_hosts &&
		    (base->kind == NODE_MAPPING || over->kind == NODE_MAPPING)) {
			cannot_merge(l, base, over);
			return;
		}
		to_list(base);
		to_list(over);
		merge_lists(base, over);
		return;
	case MERGE_LOGGING:
		if (same_driver(base, over))
			merge_deep(l, base, over, attribute->shape);
		else
			node_replace(base, over);
		return;
	case MERGE_IPAM:
		if (base->kind == NODE_SEQUENCE && over->kind == NODE_SEQUENCE)
			merge_ipam(l, base, over);
		else
			cannot_merge(l, base, over);
		return;
	case MERGE_BUILD:
		context_to_mapping(base);
		context_to_mapping(over);
		merge_deep(l, base, over, attribute->shape);
		return;
	case MERGE_DEEP:
		merge_deep(l, base, over, attribute ? attribute->shape : NULL);
		return;
	}
}

void merge_documents(struct loader *l, struct node *base, struct node *over)
{
	merge_object(l, base, over, &project_schema);
}

void merge_service(struct loader *l, struct node *base, struct node *over)
{
	merge_object(l, base, over, &service_schema);
}

void merge_strip_resets(struct node *node)
{
	for (size_t i = 0; i < node->count;) {
		if (node->items[i]->tag == NODE_RESET) {
			node_free(node_take(node, i));
		} else {
			merge_strip_resets(node->items[i]);
			i++;
		}
	}
}
