// SPDX-License-Identifier: GPL-2.0-or-later
/* limits.c - ulimits and devices. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"

#include "compose/model/shapes.h"

static bool decode_limit(struct decoder *d, const struct node *node, int64_t *ret)
{
	if (node->kind == NODE_STRING && !strcmp(node->text, "unlimited")) {
		*ret = -1;
		return true;
	}
	return decode_int(d, node, ret);
}

static void limit_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	decode_limit(d, node, slot->field);
}

static json_t *limit_encode(const struct slot *slot)
{
	return json_integer(*(int64_t *)slot->field);
}

static const struct shape shape_limit = {limit_decode, limit_encode, NULL};

#define ULIMIT(field) offsetof(struct ulimit, field), NO_FIELD
/* clang-format off */
static const struct attribute ulimit_attributes[] = {
	{"soft", ULIMIT(soft), &shape_limit},
	{"hard", ULIMIT(hard), &shape_limit},
};
/* clang-format on */
static const struct schema ulimit_schema = {
	"ulimit", ulimit_attributes, ARRAY_SIZE(ulimit_attributes), offsetof(struct ulimit, rest)};

static const char *const ulimit_names[] = {
	"as",   "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue",
	"nice", "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack",
};

static void check_name(struct decoder *d, const struct node *node)
{
	const char *meant;

	array_foreach(name, ulimit_names)
		if (!strcmp(*name, node->key))
			return;
	meant = str_suggest(node->key, ulimit_names, ARRAY_SIZE(ulimit_names));
	decode_problem(d, node, "is not a limit that Linux has%s%s%s",
		       meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
}

static void decode_ulimit(struct decoder *d, const struct node *child, struct ulimit *limit)
{
	check_name(d, child);
	if (child->kind != NODE_MAPPING) {
		limit->single = true;
		decode_limit(d, child, &limit->soft);
		limit->hard = limit->soft;
		return;
	}
	decode_object(d, child, &ulimit_schema, limit);
	if (!node_get(child, "soft") || !node_get(child, "hard"))
		decode_problem(d, child, "needs both soft and hard");
	else if (limit->hard >= 0 && (limit->soft > limit->hard || limit->soft < 0))
		decode_problem(d, child,
			       "ulimit soft limit must be less than or equal to hard "
			       "limit");
}

static int compare_ulimits(const void *a, const void *b)
{
	return strcmp(((const struct ulimit *)a)->name, ((const struct ulimit *)b)->name);
}

static void ulimits_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct ulimit **limits = slot->field;

	if (!decode_mapping_kind(d, node))
		return;
	node_foreach(child, node) {
		struct ulimit *limit = array_add(*limits, *slot->count);

		limit->name = alloc_string(child->key);
		decoder_push(d, child->key);
		decode_ulimit(d, child, limit);
		decoder_pop(d);
	}
	if (*slot->count)
		qsort(*limits, *slot->count, sizeof(**limits), compare_ulimits);
}

static json_t *ulimits_encode(const struct slot *slot)
{
	const struct ulimit *limits = *(struct ulimit **)slot->field;
	json_t *json;

	if (!*slot->count)
		return NULL;
	json = json_object();
	/* docker compose has 0 as a pair: one value is one that is not 0. */
	for (size_t i = 0; i < *slot->count; i++)
		json_object_set_new_nocheck(json, limits[i].name,
					    limits[i].single && limits[i].soft
						    ? json_integer(limits[i].soft)
						    : encode_object(&ulimit_schema, &limits[i]));
	return json;
}

static void ulimits_release(const struct slot *slot)
{
	struct ulimit **limits = slot->field;

	for (size_t i = 0; i < *slot->count; i++) {
		free((*limits)[i].name);
		json_decref((*limits)[i].rest);
	}
	free(TAKE_PTR(*limits));
	*slot->count = 0;
}

const struct shape shape_ulimits = {ulimits_decode, ulimits_encode, ulimits_release, &ulimit_schema,
				    .elements = true};

#define DEVICE(field) offsetof(struct device, field), NO_FIELD
/* clang-format off */
static const struct attribute device_attributes[] = {
	{"source",      DEVICE(source),      &shape_string},
	{"target",      DEVICE(target),      &shape_string},
	{"permissions", DEVICE(permissions), &shape_string},
};
/* clang-format on */
static const struct schema device_schema = {
	"device", device_attributes, ARRAY_SIZE(device_attributes), offsetof(struct device, rest)};

/* "vendor.com/class=name" */
static bool is_cdi(const char *source)
{
	return source && *source != '/' && strchr(source, '=');
}

static void decode_short(struct decoder *d, const struct node *item, struct device *device)
{
	_cleanup_strv_ char **parts =
		strlen(item->text) < 2 * PATH_MAX ? strv_split(item->text, ":") : NULL;
	size_t n = strv_length(parts);

	if (!n || n > 3) {
		decode_problem(d, item, "confusing device mapping, please use long syntax: %s",
			       item->text);
		return;
	}
	device->source = alloc_string(parts[0]);
	device->target = alloc_string(parts[n > 1 ? 1 : 0]);
	device->permissions = alloc_string(n > 2 ? parts[2] : "rwm");
}

static void check_device(struct decoder *d, const struct node *item, struct device *device)
{
	if (!device->source) {
		device->source = alloc_string("");
		if (item->kind == NODE_MAPPING)
			decode_problem(d, item, "source is required");
		return;
	}
	if (!device->target)
		device->target = alloc_string(device->source);
	if (!device->permissions)
		device->permissions = alloc_string("rwm");
	if (!*device->permissions ||
	    strspn(device->permissions, "rwm") != strlen(device->permissions))
		decode_problem(d, item, "invalid device permissions \"%s\": any of r, w and m",
			       device->permissions);
	if (is_cdi(device->source)) {
		free(TAKE_PTR(device->target));
		free(TAKE_PTR(device->permissions));
	}
}

/* One device at one place in the container; of CDI, one of each name. */
static void device_key(const void *row, struct strbuf *text)
{
	const struct device *device = row;

	strbuf_add(text, device->target ? device->target : device->source);
}

static void release_device(void *row)
{
	release_object(&device_schema, row);
}

static void devices_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	size_t i = 0;

	if (!decode_sequence_kind(d, node))
		return;
	node_foreach(item, node) {
		struct device *device = array_add(*(struct device **)slot->field, *slot->count);

		decoder_push_index(d, i++);
		if (item->kind == NODE_STRING)
			decode_short(d, item, device);
		else if (item->kind == NODE_MAPPING)
			decode_object(d, item, &device_schema, device);
		else
			decode_wrong_type(d, item, "a string or a mapping");
		check_device(d, item, device);
		decoder_pop(d);
	}
	decode_unique_items(d, node);
	rows_unify(*(void **)slot->field, slot->count, sizeof(struct device), device_key,
		   release_device);
}

static json_t *devices_encode(const struct slot *slot)
{
	const struct device *devices = *(struct device **)slot->field;
	json_t *json;

	if (!*slot->count)
		return NULL;
	json = json_array();
	for (size_t i = 0; i < *slot->count; i++) {
		struct device device = devices[i];

		if (is_cdi(device.source)) {
			device.target = device.source;
			device.permissions = (char *)"rwm";
		}
		json_array_append_new(json, encode_object(&device_schema, &device));
	}
	return json;
}

static void devices_release(const struct slot *slot)
{
	struct device **devices = slot->field;

	for (size_t i = 0; i < *slot->count; i++)
		release_object(&device_schema, &(*devices)[i]);
	free(TAKE_PTR(*devices));
	*slot->count = 0;
}

const struct shape shape_devices = {devices_decode, devices_encode, devices_release, &device_schema,
				    .elements = true};
