// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/load/draft.h"

#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"

#include "compose/model/shapes.h"
#include "compose/tree/json_node.h"

/* Attributes of a service that have a short form. */
static const struct {
	const char *name;
	bool items; /* each item of its list by itself, so that one with a variable hides no other
		     */
} long_forms[] = {
	{"build", false}, {"configs", true},     {"depends_on", false}, {"devices", true},
	{"dns", false},   {"dns_search", false}, {"env_file", true},    {"networks", false},
	{"ports", true},  {"secrets", true},     {"tmpfs", false},      {"volumes", true},
};

static bool has_variable(const struct node *node)
{
	if (node->kind == NODE_STRING && strchr(node->text, '$'))
		return true;
	node_foreach(child, node)
		if (has_variable(child))
			return true;
	return false;
}

static char *resolve(void *data, const struct position *at, const char *path)
{
	const struct loader *l = data;

	return loader_path(
		l, at->source && at->source->directory ? at->source->directory : l->directory,
		path);
}

/* NULL: it is of no form that can be read yet. */
static json_t *long_form(const struct loader *l, const struct attribute *attribute,
			 const struct node *node)
{
	struct report report = {0};
	struct decoder decoder = {
		.report = &report,
		.resolve = l->options->no_path_resolution ? NULL : resolve,
		.resolve_data = (void *)l,
	};
	struct service service = {0};
	struct slot slot = attribute_slot(attribute, &service);
	json_t *json = NULL;

	if (has_variable(node))
		return NULL;
	attribute->shape->decode(&decoder, node, &slot);
	if (!report.count && attribute->shape->encode)
		json = attribute->shape->encode(&slot);
	release_object(&service_schema, &service);
	report_done(&report);
	return json;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static json_t *sorted_object(json_t *object)
{
	size_t count = 0;
	_cleanup_free_ const char **keys = new_array(const char *, json_object_size(object) + 1);
	json_t *result = json_object(), *value;
	const char *key;

	json_object_foreach(object, key, value)
		keys[count++] = key;
	qsort(keys, count, sizeof(*keys), compare_keys);
	for (size_t i = 0; i < count; i++)
		json_object_set_nocheck(result, keys[i], json_object_get(object, keys[i]));
	json_decref(object);
	return result;
}

static json_t *plain(const struct node *node)
{
	json_t *json;

	if (node->kind == NODE_MAPPING) {
		json = json_object();
		node_foreach(child, node)
			json_object_set_new_nocheck(json, child->key, plain(child));
		return sorted_object(json);
	}
	if (node->kind != NODE_SEQUENCE)
		return node_to_json(node);
	json = json_array();
	node_foreach(item, node)
		json_array_append_new(json, plain(item));
	return json;
}

static json_t *items(const struct loader *l, const struct attribute *attribute,
		     const struct node *list)
{
	json_t *json = json_array();

	node_foreach(item, list) {
		_cleanup_node_ struct node *alone = node_new(NODE_SEQUENCE, &item->at);
		_cleanup_json_ json_t *rows = NULL;

		node_append(alone, node_copy(item));
		rows = long_form(l, attribute, alone);
		if (rows)
			json_array_extend(json, rows);
		else
			json_array_append_new(json, plain(item));
	}
	return json;
}

static json_t *value_of(const struct loader *l, const struct node *child)
{
	const struct attribute *attribute = schema_attribute(&service_schema, child->key);
	json_t *json = NULL;

	array_foreach(row, long_forms) {
		if (!attribute || strcmp(row->name, child->key) != 0)
			continue;
		if (row->items && child->kind == NODE_SEQUENCE)
			return items(l, attribute, child);
		json = long_form(l, attribute, child);
	}
	return json ? json : plain(child);
}

static json_t *service_of(const struct loader *l, const struct node *node, bool *uses_default)
{
	const struct node *networks = node_get(node, "networks");
	json_t *json;

	if (node->kind != NODE_MAPPING)
		return plain(node);
	json = json_object();
	node_foreach(child, node)
		json_object_set_new_nocheck(json, child->key, value_of(l, child));
	if (!l->options->no_normalize && !node_get(node, "network_mode") &&
	    (!networks || !networks->count))
		json_object_set_new(json, "networks", json_pack("{s:n}", "default"));
	if (json_object_get(json_object_get(json, "networks"), "default"))
		*uses_default = true;
	return sorted_object(json);
}

/* Networks, volumes, ...: null is an object that says nothing, and each has a name. */
static json_t *object_of(const struct loader *l, const struct node *node)
{
	json_t *json = node->kind == NODE_NULL ? json_object() : plain(node);
	const json_t *external = json_object_get(json, "external");
	const struct node *file = node_get(node, "file");
	_cleanup_free_ char *name = NULL, *path = NULL;

	if (file && file->kind == NODE_STRING && !has_variable(file) &&
	    !l->options->no_path_resolution) {
		path = resolve((void *)l, &file->at, file->text);
		json_put_string(json, "file", path);
	}
	if (l->options->no_normalize || !json_is_object(json) || json_object_get(json, "name"))
		return json;
	name = json_is_true(external) ? alloc_string(node->key)
				      : str_printf("%s_%s", l->name, node->key);
	json_put_string(json, "name", name);
	return sorted_object(json);
}

static json_t *section(const struct loader *l, const struct node *node, bool *uses_default)
{
	bool services = !strcmp(node->key, "services");
	json_t *json;

	if (node->kind != NODE_MAPPING || str_starts_with(node->key, "x-"))
		return plain(node);
	json = json_object();
	node_foreach(child, node)
		json_object_set_new_nocheck(json, child->key,
					    services ? service_of(l, child, uses_default)
						     : object_of(l, child));
	return sorted_object(json);
}

static void add_default_network(const struct loader *l, json_t *model)
{
	json_t *networks = json_object_get(model, "networks");
	struct node network = {.kind = NODE_NULL, .key = (char *)"default"};

	if (!networks) {
		networks = json_object();
		json_object_set_new(model, "networks", networks);
	}
	if (json_object_get(networks, "default"))
		return;
	json_object_set_new(networks, "default", object_of(l, &network));
	json_object_set_new(model, "networks", sorted_object(json_incref(networks)));
}

json_t *draft_model(struct loader *l)
{
	json_t *model = json_object();
	bool uses_default = false;

	node_foreach(child, l->root)
		json_object_set_new_nocheck(model, child->key, section(l, child, &uses_default));
	json_object_set_new(model, "name", json_string(l->name));
	if (uses_default && !l->options->no_normalize)
		add_default_network(l, model);
	return sorted_object(model);
}
