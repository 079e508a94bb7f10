// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/tree/json_node.h"

#include <math.h>
#include <string.h>

#include "common/alloc.h"

static struct node *convert(const json_t *json, unsigned int depth);

static struct node *convert_object(const json_t *json, unsigned int depth)
{
	struct node *node = node_new(NODE_MAPPING, NULL);
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)json, key, value) {
		struct node *child = convert(value, depth + 1);

		if (!child) {
			node_free(node);
			return NULL;
		}
		child->key = alloc_string(key);
		node_append(node, child);
	}
	return node;
}

static struct node *convert_array(const json_t *json, unsigned int depth)
{
	struct node *node = node_new(NODE_SEQUENCE, NULL);
	size_t i;
	json_t *value;

	json_array_foreach(json, i, value) {
		struct node *child = convert(value, depth + 1);

		if (!child) {
			node_free(node);
			return NULL;
		}
		node_append(node, child);
	}
	return node;
}

static struct node *convert_scalar(const json_t *json)
{
	struct node *node;

	if (json_is_string(json))
		return node_string(json_string_value(json), NULL);
	node = node_new(NODE_NULL, NULL);
	if (json_is_boolean(json)) {
		node->kind = NODE_BOOL;
		node->boolean = json_is_true(json);
	} else if (json_is_integer(json)) {
		node->kind = NODE_INT;
		node->integer = json_integer_value(json);
	} else if (json_is_real(json)) {
		node->kind = NODE_FLOAT;
		node->number = json_real_value(json);
	}
	node->text = node_scalar_text(node);
	return node;
}

static struct node *convert(const json_t *json, unsigned int depth)
{
	if (depth > JSON_NODE_DEPTH_MAX)
		return NULL;
	if (json_is_object(json))
		return convert_object(json, depth);
	if (json_is_array(json))
		return convert_array(json, depth);
	return convert_scalar(json);
}

struct node *json_to_node(const json_t *json)
{
	return convert(json, 0);
}

static json_t *scalar_to_json(const struct node *node)
{
	switch (node->kind) {
	case NODE_BOOL:
		return json_boolean(node->boolean);
	case NODE_INT:
		return json_integer(node->integer);
	case NODE_FLOAT:
		/* JSON has no infinities: they become what the user wrote. */
		return isfinite(node->number) ? json_real(node->number)
					      : json_string(node->text ? node->text : "");
	case NODE_STRING:
		return json_string_nocheck(node->text);
	default:
		return json_null();
	}
}

json_t *node_to_json(const struct node *node)
{
	json_t *json;

	if (node_is_scalar(node))
		return scalar_to_json(node);
	json = node->kind == NODE_MAPPING ? json_object() : json_array();
	node_foreach(child, node) {
		if (node->kind == NODE_MAPPING)
			json_object_set_new(json, child->key, node_to_json(child));
		else
			json_array_append_new(json, node_to_json(child));
	}
	return json;
}
