// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * `start` and `restart`: containers that are there, in the order of what they need.
 */

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "compose/plan/operations.h"

static int check_there_is_one(const struct planning *planning, const struct graph_node *node,
			      struct error *err)
{
	if (node->container_count || planning->options->by_label || !node->service)
		return 0;
	if (!service_replicas(node->service))
		return 0;
	return error_set(err, ENOENT, "service \"%s\" has no container to start: bring it up first",
			 node->name);
}

/* A job, or what its sockets start, is started by hand when it is named. */
static bool is_left_alone(const struct planning *planning, const struct graph_node *node)
{
	return node->service &&
	       (node->service->berth.schedule.calendar || node_awaits_connections(node)) &&
	       !planning->options->containers && !(planning->options->services && node->named);
}

static int start_container(struct planning *planning, struct waits *waits,
			   const struct graph_node *node, const struct fact_container *container,
			   size_t after, struct error *err)
{
	struct plan *plan = planning->plan;
	_cleanup_free_ size_t *needs = NULL;
	size_t need_count = 0, start = NO_OPERATION;
	int r = 0;

	if ((container_is_alive(container) || container_is_done_with(node->service, container)) &&
	    after == NO_OPERATION) {
		waits_add_container(waits, node, container->name, container->id, container->number,
				    NO_OPERATION, container);
		return 0;
	}
	if (!container_is_meant(planning, container, false) ||
	    (is_left_alone(planning, node) && after == NO_OPERATION))
		return 0;
	r = waits_for_dependencies(waits, node, &needs, &need_count, err);
	if (r < 0)
		return r;
	start = operation_add_existing(plan, OP_START_CONTAINER, container,
				       planning->options->containers && !planning->options->services
					       ? "it ran before"
					       : "asked for");
	operation_after(plan, start, after);
	for (size_t i = 0; i < need_count; i++)
		operation_after(plan, start, needs[i]);
	waits_add_container(waits, node, container->name, container->id, container->number, start,
			    container);
	return 0;
}

/* @stops: one a container of each node, by the node's index; NULL: nothing was stopped. */
static int start_all(struct planning *planning, size_t *const *stops, bool wait, struct error *err)
{
	const struct graph *graph = planning->graph;
	struct waits *waits = waits_new(planning);
	int r = 0;

	for (size_t i = 0; i < graph->count && r >= 0; i++) {
		const struct graph_node *node = &graph->nodes[graph->order[i]];

		if (!node->selected)
			continue;
		if (!planning->options->containers)
			r = check_there_is_one(planning, node, err);
		for (size_t c = 0; c < node->container_count && r >= 0; c++) {
			const struct fact_container *container = node->containers[c];

			if ((container->oneoff &&
			     !container_is_meant(planning, container, false)) ||
			    container_is_half_made(node, container))
				continue;
			r = start_container(planning, waits, node, container,
					    stops ? stops[graph->order[i]][c] : NO_OPERATION, err);
		}
	}
	if (r >= 0 && wait)
		waits_for_all(waits);
	waits_free(waits);
	return r;
}

int plan_start(struct planning *planning, struct error *err)
{
	return start_all(planning, NULL, planning->options->wait, err);
}

static void stop_for_restart(struct planning *planning, size_t index, size_t **stops)
{
	const struct graph *graph = planning->graph;
	const struct graph_node *node = &graph->nodes[index];
	struct plan *plan = planning->plan;

	for (size_t c = 0; c < node->container_count; c++) {
		size_t stop = NO_OPERATION;

		stops[index][c] = NO_OPERATION;
		if (!container_is_alive(node->containers[c]) ||
		    !container_is_meant(planning, node->containers[c], false))
			continue;
		stop = operation_add_existing(plan, OP_STOP_CONTAINER, node->containers[c],
					      node->named ? "asked for" : "what it needs restarts");
		plan->operations[stop].timeout_usec = planning->options->timeout_usec;
		plan->operations[stop].signal = planning->options->signal;
		stops[index][c] = stop;
		for (size_t i = 0; i < node->needed_by_count; i++) {
			size_t other = node->needed_by[i];

			for (size_t o = 0; graph->nodes[other].selected &&
					   o < graph->nodes[other].container_count;
			     o++)
				operation_after(plan, stop, stops[other][o]);
		}
	}
}

int plan_restart(struct planning *planning, struct error *err)
{
	const struct graph *graph = planning->graph;
	size_t **stops = new_array(size_t *, graph->count + 1);
	int r = 0;

	if (!planning->options->no_deps)
		graph_select_restarting(planning->graph);
	for (size_t i = 0; i < graph->count; i++)
		stops[i] = new_array(size_t, graph->nodes[i].container_count + 1);
	for (size_t i = graph->count; i-- > 0;)
		if (graph->nodes[graph->order[i]].selected)
			stop_for_restart(planning, graph->order[i], stops);
	r = start_all(planning, stops, false, err);
	for (size_t i = 0; i < graph->count; i++)
		free(stops[i]);
	free(stops);
	return r;
}
