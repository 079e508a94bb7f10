// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * due.c - what is pulled and built before containers are made. The client does it before it asks
 * for anything, so that only plans that are looked at have these operations.
 */
#include "common/alloc.h"
#include "common/str.h"

#include "compose/plan/operations.h"

static bool is_mounted(const struct service *service, const char *image)
{
	for (size_t i = 0; i < service->volume_count; i++)
		if (service->volumes[i].type == MOUNT_IMAGE &&
		    str_equal(service->volumes[i].source, image))
			return true;
	return false;
}

static size_t add(struct plan *plan, const struct plan_image *image)
{
	size_t index = operation_add(plan, image->service ? OP_BUILD_IMAGE : OP_PULL_IMAGE,
				     image->image, "%s", image->cause);

	plan->operations[index].service = alloc_string(image->service);
	plan->operations[index].refresh = image->refresh;
	return index;
}

void due_operations(struct planning *planning)
{
	const struct graph *graph = planning->graph;

	for (size_t i = 0; i < planning->options->image_count; i++) {
		const struct plan_image *image = &planning->options->images[i];
		size_t index = NO_OPERATION;

		for (size_t n = 0; n < graph->count; n++) {
			struct graph_node *node = &graph->nodes[n];

			if (!node->selected || !node->service ||
			    (!str_equal(node->service->image, image->image) &&
			     !is_mounted(node->service, image->image)))
				continue;
			if (index == NO_OPERATION)
				index = add(planning->plan, image);
			*array_add(node->getting, node->getting_count) = index;
		}
	}
}

bool due_has_image(const struct graph_node *node)
{
	return node->getting_count > 0;
}
