// SPDX-License-Identifier: GPL-2.0-or-later
/* device_requests.c - `gpus`, and `devices` of deploy.resources.reservations. */
#include <string.h>

#include "common/alloc.h"

#include "compose/model/shapes.h"

/* "all" is -1. */
static void count_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct optional_int *count = slot->field;

	if (node->kind == NODE_STRING && !strcmp(node->text, "all")) {
		*count = (struct optional_int){true, -1};
		return;
	}
	count->set = decode_int(d, node, &count->value);
	if (count->set && (count->value < -1 || count->value > 4096))
		decode_problem(d, node, "must be \"all\" or a number of devices");
}

static json_t *count_encode(const struct slot *slot)
{
	return shape_int.encode(slot);
}

static const struct shape shape_device_count = {count_decode, count_encode, NULL};

#define REQUEST(field) offsetof(struct device_request, field), NO_FIELD
/* clang-format off */
static const struct attribute attributes[] = {
	{"capabilities", REQUEST(capabilities), &shape_strings},
	{"driver",       REQUEST(driver),       &shape_string},
	{"count",        REQUEST(count),        &shape_device_count},
	{"device_ids",   REQUEST(device_ids),   &shape_strings},
	{"options",      REQUEST(options),      &shape_labels, MERGE_MAPPING},
};
/* clang-format on */
static const struct schema request_schema = {"device", attributes, ARRAY_SIZE(attributes),
					     offsetof(struct device_request, rest)};

static void check_request(struct decoder *d, const struct node *item,
			  struct device_request *request)
{
	if (request->count.set && request->device_ids)
		decode_problem(d, item, "\"count\" and \"device_ids\" attributes are exclusive");
	if (!request->count.set && !request->device_ids)
		request->count = (struct optional_int){true, -1};
}

static void decode_list(struct decoder *d, const struct node *node, const struct slot *slot,
			bool reservation)
{
	size_t i = 0;

	if (!decode_sequence_kind(d, node))
		return;
	node_foreach(item, node) {
		struct device_request *request = rows_add(slot);

		decoder_push_index(d, i++);
		if (reservation || item->kind != NODE_STRING || strcmp(item->text, "all"))
			decode_object(d, item, &request_schema, request);
		if (reservation && item->kind == NODE_MAPPING && !request->capabilities)
			decode_problem(d, item, "capabilities is required");
		check_request(d, item, request);
		decoder_pop(d);
	}
}

static void gpus_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	if (node->kind != NODE_STRING) {
		decode_list(d, node, slot, false);
	} else if (strcmp(node->text, "all")) {
		decode_problem(d, node, "must be \"all\" or a list of devices");
	} else {
		struct device_request *request = rows_add(slot);

		check_request(d, node, request);
	}
}

static void reserved_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	decode_list(d, node, slot, true);
}

#define REQUESTS(name, decode_)                                                   \
	const struct shape name = {decode_,                                       \
				   encode_rows,                                   \
				   release_rows,                                  \
				   &request_schema,                               \
				   .element_size = sizeof(struct device_request), \
				   .elements = true}
REQUESTS(shape_gpus, gpus_decode);
REQUESTS(shape_reserved_devices, reserved_decode);
