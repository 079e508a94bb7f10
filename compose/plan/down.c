// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Everything that ends or interrupts containers. Those that need others stop first; each walk goes
 * through the graph backwards, so that the prerequisites stand before.
 */

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "compose/plan/operations.h"

struct teardown {
	struct planning *planning;
	size_t **stops; /* a node: a stop (or what stands for it) for each of its containers */
};

static void teardown_init(struct teardown *teardown, struct planning *planning)
{
	const struct graph *graph = planning->graph;

	teardown->planning = planning;
	teardown->stops = new_array(size_t *, graph->count + 1);
	for (size_t i = 0; i < graph->count; i++) {
		teardown->stops[i] = new_array(size_t, graph->nodes[i].container_count + 1);
		for (size_t c = 0; c < graph->nodes[i].container_count; c++)
			teardown->stops[i][c] = NO_OPERATION;
	}
}

static void teardown_done(struct teardown *teardown)
{
	for (size_t i = 0; i < teardown->planning->graph->count; i++)
		free(teardown->stops[i]);
	free(teardown->stops);
}

/* Stops what runs of a node, after all that need it. */
static void stop_node(struct teardown *teardown, size_t index, const char *cause, bool oneoffs)
{
	const struct graph *graph = teardown->planning->graph;
	const struct graph_node *node = &graph->nodes[index];
	struct plan *plan = teardown->planning->plan;

	for (size_t c = 0; c < node->container_count; c++) {
		size_t stop = NO_OPERATION;

		if (!container_is_alive(node->containers[c]) ||
		    !container_is_meant(teardown->planning, node->containers[c], oneoffs))
			continue;
		stop = operation_add_existing(plan, OP_STOP_CONTAINER, node->containers[c], cause);
		plan->operations[stop].timeout_usec = teardown->planning->options->timeout_usec;
		plan->operations[stop].signal = teardown->planning->options->signal;
		teardown->stops[index][c] = stop;
		for (size_t i = 0; i < node->needed_by_count; i++) {
			const struct graph_node *other = &graph->nodes[node->needed_by[i]];

			for (size_t o = 0; o < other->container_count; o++)
				operation_after(plan, stop, teardown->stops[node->needed_by[i]][o]);
		}
	}
}

/* Somebody sits before a one-off container: it is stopped where the project as a whole is. */
int plan_stop(struct planning *planning, struct error *err)
{
	struct teardown teardown;

	teardown_init(&teardown, planning);
	for (size_t i = planning->graph->count; i-- > 0;)
		if (planning->graph->nodes[planning->graph->order[i]].selected)
			stop_node(&teardown, planning->graph->order[i], "asked for",
				  planning->options->by_label);
	teardown_done(&teardown);
	return 0;
}

static bool down_takes(const struct planning *planning, const struct graph_node *node)
{
	const struct plan_options *options = planning->options;
	bool in_file = !planning->project || node->service ||
		       strv_contains(planning->project->disabled_services, node->name);

	return node->selected && (in_file || options->by_label || options->remove_orphans);
}

/* Networks that a container which stays is attached to stay as well. */
static const char *network_user(const struct planning *planning, const char *network)
{
	const struct graph *graph = planning->graph;

	for (size_t i = 0; i < graph->count; i++) {
		if (down_takes(planning, &graph->nodes[i]))
			continue;
		for (size_t c = 0; c < graph->nodes[i].container_count; c++) {
			const char *const *names = graph->nodes[i].containers[c]->networks;

			for (; names && *names; names++)
				if (str_equal(*names, network))
					return graph->nodes[i].containers[c]->name;
		}
	}
	return NULL;
}

static void remove_objects(struct planning *planning, const size_t *removals, size_t count)
{
	const struct facts *facts = planning->facts;
	struct plan *plan = planning->plan;

	for (size_t i = 0; i < facts->network_count; i++) {
		const char *user = network_user(planning, facts->networks[i].name);
		size_t gone = NO_OPERATION;

		if (user) {
			plan_warn(plan, "Network %s Resource is still in use by container %s",
				  facts->networks[i].name, user);
			continue;
		}
		gone = operation_add(plan, OP_REMOVE_NETWORK, facts->networks[i].name, "down");
		plan->operations[gone].key = alloc_string(facts->networks[i].key);
		for (size_t c = 0; c < count; c++)
			operation_after(plan, gone, removals[c]);
	}
	for (size_t i = 0; planning->options->volumes && i < facts->volume_count; i++) {
		size_t gone = operation_add(plan, OP_REMOVE_VOLUME, facts->volumes[i].name,
					    "down --volumes");

		plan->operations[gone].key = alloc_string(facts->volumes[i].key);
		for (size_t c = 0; c < count; c++)
			operation_after(plan, gone, removals[c]);
	}
}

static void warn_of_orphans(struct planning *planning)
{
	const struct graph *graph = planning->graph;
	_cleanup_strbuf_ struct strbuf names = {0};

	for (size_t i = 0; i < graph->count; i++)
		for (size_t c = 0;
		     !down_takes(planning, &graph->nodes[i]) && c < graph->nodes[i].container_count;
		     c++)
			strbuf_addf(&names, "%s%s", names.length ? " " : "",
				    graph->nodes[i].containers[c]->name);
	if (names.length)
		plan_warn(planning->plan,
			  "Found orphan containers ([%s]) for this project. If you removed or "
			  "renamed this service in your compose file, you can run this command "
			  "with the --remove-orphans flag to clean it up.",
			  names.data);
}

int plan_down(struct planning *planning, struct error *err)
{
	const struct graph *graph = planning->graph;
	bool whole = !planning->options->services || !*planning->options->services;
	_cleanup_free_ size_t *removals = new_array(size_t, planning->facts->container_count + 1);
	struct teardown teardown;
	size_t count = 0;

	teardown_init(&teardown, planning);
	for (size_t i = graph->count; i-- > 0;)
		if (down_takes(planning, &graph->nodes[graph->order[i]]))
			stop_node(&teardown, graph->order[i], "down", true);
	for (size_t i = graph->count; i-- > 0;) {
		const struct graph_node *node = &graph->nodes[graph->order[i]];

		for (size_t c = 0; down_takes(planning, node) && c < node->container_count; c++) {
			size_t gone = operation_add_existing(planning->plan, OP_REMOVE_CONTAINER,
							     node->containers[c], "down");

			planning->plan->operations[gone].volumes = planning->options->volumes;
			operation_after(planning->plan, gone, teardown.stops[graph->order[i]][c]);
			removals[count++] = gone;
		}
	}
	teardown_done(&teardown);
	if (whole) {
		remove_objects(planning, removals, count);
		warn_of_orphans(planning);
	}
	return 0;
}

int plan_remove(struct planning *planning, struct error *err)
{
	const struct graph *graph = planning->graph;
	struct teardown teardown;

	teardown_init(&teardown, planning);
	for (size_t i = graph->count; planning->options->force_stop && i-- > 0;)
		if (graph->nodes[graph->order[i]].selected)
			stop_node(&teardown, graph->order[i], "asked for", false);
	for (size_t i = graph->count; i-- > 0;) {
		const struct graph_node *node = &graph->nodes[graph->order[i]];

		for (size_t c = 0; node->selected && c < node->container_count; c++) {
			size_t stop = teardown.stops[graph->order[i]][c], gone = 0;

			if (!container_is_meant(planning, node->containers[c], false) ||
			    (stop == NO_OPERATION && container_is_alive(node->containers[c])))
				continue;
			gone = operation_add_existing(planning->plan, OP_REMOVE_CONTAINER,
						      node->containers[c], "asked for");
			planning->plan->operations[gone].volumes = planning->options->volumes;
			operation_after(planning->plan, gone, stop);
		}
	}
	teardown_done(&teardown);
	return 0;
}

/* Orphans included only where they are asked for; containers of `run` only in a kill. */
static int plan_each(struct planning *planning, enum operation_kind kind, bool orphans,
		     bool (*takes)(const struct fact_container *container))
{
	const struct graph *graph = planning->graph;

	for (size_t i = graph->count; i-- > 0;) {
		const struct graph_node *node = &graph->nodes[graph->order[i]];

		for (size_t c = 0; node->selected && c < node->container_count; c++) {
			size_t index = 0;

			if (!orphans && !down_takes(planning, node))
				continue;
			if (!takes(node->containers[c]) ||
			    !container_is_meant(planning, node->containers[c],
						kind == OP_KILL_CONTAINER))
				continue;
			index = operation_add_existing(planning->plan, kind, node->containers[c],
						       "asked for");
			planning->plan->operations[index].signal = planning->options->signal;
		}
	}
	return 0;
}

static bool is_running(const struct fact_container *container)
{
	return container->state == CONTAINER_RUNNING;
}

static bool is_paused(const struct fact_container *container)
{
	return container->state == CONTAINER_PAUSED;
}

int plan_kill(struct planning *planning, struct error *err)
{
	return plan_each(planning, OP_KILL_CONTAINER, planning->options->remove_orphans,
			 container_is_alive);
}

int plan_pause(struct planning *planning, struct error *err)
{
	return plan_each(planning, OP_PAUSE_CONTAINER, true, is_running);
}

int plan_unpause(struct planning *planning, struct error *err)
{
	return plan_each(planning, OP_UNPAUSE_CONTAINER, true, is_paused);
}
