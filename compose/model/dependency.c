// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "common/alloc.h"

#include "compose/model/shapes.h"

static const char *const condition_names[] = {
	[CONDITION_STARTED] = "service_started",
	[CONDITION_HEALTHY] = "service_healthy",
	[CONDITION_COMPLETED] = "service_completed_successfully",
};

static void condition_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	const char *text = node->kind == NODE_STRING ? node->text : "";
	const char *meant = NULL;

	for (unsigned int i = 0; i < ARRAY_SIZE(condition_names); i++) {
		if (!strcmp(text, condition_names[i])) {
			*(enum condition *)slot->field = (enum condition)i;
			return;
		}
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(condition_names) && *text && !meant; i++)
		if (strstr(condition_names[i], text))
			meant = condition_names[i];
	if (!meant)
		meant = str_suggest(text, condition_names, ARRAY_SIZE(condition_names));
	decode_problem(d, node,
		       "must be one of service_started, service_healthy, "
		       "service_completed_successfully%s%s%s",
		       meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
}

static json_t *condition_encode(const struct slot *slot)
{
	return json_string(condition_names[*(enum condition *)slot->field]);
}

static json_t *required_encode(const struct slot *slot)
{
	return json_boolean(*(bool *)slot->field);
}

static void required_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	decode_bool(d, node, slot->field);
}

static const struct shape shape_condition = {condition_decode, condition_encode, NULL};
static const struct shape shape_required = {required_decode, required_encode, NULL};

#define DEPENDENCY(field) offsetof(struct dependency, field), NO_FIELD
/* clang-format off */
static const struct attribute attributes[] = {
	{"condition", DEPENDENCY(condition), &shape_condition},
	{"restart",   DEPENDENCY(restart),   &shape_bool},
	{"required",  DEPENDENCY(required),  &shape_required},
};
/* clang-format on */
static const struct schema dependency_schema = {"dependency", attributes, ARRAY_SIZE(attributes),
						offsetof(struct dependency, rest)};

static void dependencies_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	_cleanup_node_ struct node *mapping = NULL;
	struct dependency **items;
	size_t i = 0;

	if (node->kind == NODE_SEQUENCE) {
		decode_unique_items(d, node);
		mapping = node_new(NODE_MAPPING, &node->at);
		node_foreach(item, node) {
			decoder_push_index(d, i++);
			if (item->kind == NODE_STRING)
				node_set(mapping, item->text, node_new(NODE_MAPPING, &item->at));
			else
				decode_wrong_type(d, item, "a string");
			decoder_pop(d);
		}
		node = mapping;
	}
	decode_objects(d, node, slot);
	items = slot->field;
	for (i = 0; i < *slot->count; i++) {
		const struct node *said = node_get(node, (*items)[i].service);

		if (!node_get(said, "required"))
			(*items)[i].required = true;
		if (!mapping && said->kind == NODE_MAPPING && !node_get(said, "condition")) {
			decoder_push(d, (*items)[i].service);
			decode_problem(d, said, "condition is required");
			decoder_pop(d);
		}
	}
}

const struct shape shape_dependencies = {
	.decode = dependencies_decode,
	.encode = encode_objects,
	.release = release_objects,
	.schema = &dependency_schema,
	.element_size = sizeof(struct dependency),
	.key_offset = offsetof(struct dependency, service),
	.elements = true,
};
