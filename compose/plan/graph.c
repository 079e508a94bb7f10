// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/plan/graph.h"

#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

DEFINE_CLEANUP(struct graph *, graph_free);

static size_t graph_index(const struct graph *graph, const char *name)
{
	return (size_t)map_get(&graph->by_name, name) - 1; /* SIZE_MAX: not there */
}

struct graph_node *graph_find(const struct graph *graph, const char *name)
{
	size_t index = graph_index(graph, name);

	return index == SIZE_MAX ? NULL : &graph->nodes[index];
}

static struct graph_node *graph_add(struct graph *graph, const char *name)
{
	struct graph_node *node = graph_find(graph, name);

	if (node)
		return node;
	node = array_add(graph->nodes, graph->count);
	node->name = name;
	map_set(&graph->by_name, name, (void *)graph->count);
	return node;
}

static void graph_connect(struct graph *graph, size_t from, const char *name,
			  const struct graph_edge *like)
{
	size_t to = graph_index(graph, name);
	struct graph_edge *edge = NULL;
	size_t *back = NULL;

	if (to == SIZE_MAX)
		return; /* an optional one that is not there; the loader refused all others */
	edge = array_add(graph->nodes[from].needs, graph->nodes[from].need_count);
	*edge = *like;
	edge->to = to;
	back = array_add(graph->nodes[to].needed_by, graph->nodes[to].needed_by_count);
	*back = from;
}

static enum condition condition_from_name(const char *name)
{
	if (str_equal(name, "service_healthy"))
		return CONDITION_HEALTHY;
	if (str_equal(name, "service_completed_successfully"))
		return CONDITION_COMPLETED;
	return CONDITION_STARTED;
}

static void connect_from_service(struct graph *graph, size_t from, const struct service *service)
{
	for (size_t i = 0; i < service->dependency_count; i++) {
		const struct dependency *dependency = &service->depends_on[i];
		const struct graph_edge edge = {.condition = dependency->condition,
						.restart = dependency->restart ||
							   service->berth.restart_with_dependencies,
						.required = dependency->required};

		graph_connect(graph, from, dependency->service, &edge);
	}
}

static void connect_from_config(struct graph *graph, size_t from, const json_t *config)
{
	json_t *depends_on = json_object_get(config, "depends_on"), *value = NULL;
	const char *name = NULL;

	json_object_foreach(depends_on, name, value) {
		const struct graph_edge edge = {
			.condition = condition_from_name(json_get_string(value, "condition")),
			.restart = json_get_bool(value, "restart", false),
			.required = json_get_bool(value, "required", true),
		};

		graph_connect(graph, from, name, &edge);
	}
}

static void connect_all(struct graph *graph)
{
	for (size_t i = 0; i < graph->count; i++) {
		const struct graph_node *node = &graph->nodes[i];

		if (node->service)
			connect_from_service(graph, i, node->service);
		else if (node->container_count)
			connect_from_config(graph, i, node->containers[0]->config);
	}
}

static int compare_containers(const void *a, const void *b)
{
	const struct fact_container *x = *(const struct fact_container *const *)a;
	const struct fact_container *y = *(const struct fact_container *const *)b;

	if (x->oneoff != y->oneoff)
		return x->oneoff - y->oneoff;
	return x->number < y->number ? -1 : x->number > y->number;
}

static void add_nodes(struct graph *graph, const struct project *project, const struct facts *facts)
{
	for (size_t i = 0; project && i < project->service_count; i++)
		graph_add(graph, project->services[i].name)->service = &project->services[i];
	for (size_t i = 0; i < facts->container_count; i++) {
		struct graph_node *node = graph_add(graph, facts->containers[i].service);
		const struct fact_container **slot = NULL;

		slot = array_add(node->containers, node->container_count);
		*slot = &facts->containers[i];
	}
	for (size_t i = 0; i < facts->image_count; i++) {
		struct graph_node *node = graph_find(graph, facts->images[i].service);

		if (node)
			node->image = &facts->images[i];
	}
	for (size_t i = 0; i < graph->count; i++)
		if (graph->nodes[i].container_count > 1)
			qsort(graph->nodes[i].containers, graph->nodes[i].container_count,
			      sizeof(graph->nodes[i].containers[0]), compare_containers);
}

/* The walk's stack is explicit: a chain of thousands of services is a legal file. */
struct walk {
	size_t *stack, *next_edge;
	size_t depth;
	unsigned char *state; /* 0 new, 1 on the stack, 2 done */
};

static int report_cycle(const struct graph *graph, const struct walk *walk, size_t again,
			struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = {0};
	size_t i = 0;

	while (walk->stack[i] != again)
		i++;
	for (; i < walk->depth; i++)
		strbuf_addf(&text, "%s -> ", graph->nodes[walk->stack[i]].name);
	return error_set(err, EINVAL, "dependency cycle detected: %s%s", text.data,
			 graph->nodes[again].name);
}

static int walk_from(struct graph *graph, struct walk *walk, size_t start, size_t *done,
		     struct error *err)
{
	walk->stack[0] = start;
	walk->next_edge[0] = 0;
	walk->state[start] = 1;
	walk->depth = 1;
	while (walk->depth) {
		size_t at = walk->stack[walk->depth - 1], to = 0;
		const struct graph_node *node = &graph->nodes[at];

		if (walk->next_edge[walk->depth - 1] == node->need_count) {
			walk->state[at] = 2;
			graph->order[(*done)++] = at;
			walk->depth--;
			continue;
		}
		to = node->needs[walk->next_edge[walk->depth - 1]++].to;
		if (walk->state[to] == 1)
			return report_cycle(graph, walk, to, err);
		if (walk->state[to] == 2)
			continue;
		walk->state[to] = 1;
		walk->stack[walk->depth] = to;
		walk->next_edge[walk->depth++] = 0;
	}
	return 0;
}

static int sort(struct graph *graph, struct error *err)
{
	_cleanup_free_ size_t *stack = new_array(size_t, graph->count + 1);
	_cleanup_free_ size_t *next_edge = new_array(size_t, graph->count + 1);
	_cleanup_free_ unsigned char *state = new_array(unsigned char, graph->count + 1);
	struct walk walk = {.stack = stack, .next_edge = next_edge, .state = state};
	size_t done = 0;
	int r = 0;

	graph->order = new_array(size_t, graph->count + 1);
	for (size_t i = 0; i < graph->count; i++) {
		if (state[i])
			continue;
		r = walk_from(graph, &walk, i, &done, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int graph_new(const struct project *project, const struct facts *facts, struct graph **ret,
	      struct error *err)
{
	_cleanup_(cleanup_graph_free) struct graph *graph = new (struct graph);
	int r = 0;

	add_nodes(graph, project, facts);
	connect_all(graph);
	r = sort(graph, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(graph);
	return 0;
}

void graph_free(struct graph *graph)
{
	if (!graph)
		return;
	for (size_t i = 0; i < graph->count; i++) {
		free(graph->nodes[i].containers);
		free(graph->nodes[i].needs);
		free(graph->nodes[i].needed_by);
		free(graph->nodes[i].getting);
	}
	free(graph->nodes);
	free(graph->order);
	map_done(&graph->by_name, NULL);
	free(graph);
}

static int no_such_service(const struct graph *graph, const char *name, struct error *err)
{
	_cleanup_free_ const char **names = new_array(const char *, graph->count + 1);
	const char *meant = NULL;

	for (size_t i = 0; i < graph->count; i++)
		names[i] = graph->nodes[i].name;
	meant = str_suggest(name, names, graph->count);
	if (meant)
		return error_set(err, ENOENT, "no such service: %s (did you mean \"%s\"?)", name,
				 meant);
	return error_set(err, ENOENT, "no such service: %s", name);
}

int graph_select(struct graph *graph, const char *const *services, bool dependencies, bool lenient,
		 struct error *err)
{
	for (size_t i = 0; i < graph->count; i++)
		graph->nodes[i].named = graph->nodes[i].selected = !services || !*services;
	for (; services && *services; services++) {
		struct graph_node *node = graph_find(graph, *services);

		if (node)
			node->named = node->selected = true;
		else if (!lenient)
			return no_such_service(graph, *services, err);
	}
	/* Those that need stand after what they need: backwards, one pass reaches everything. */
	for (size_t i = graph->count; dependencies && i-- > 0;) {
		const struct graph_node *node = &graph->nodes[graph->order[i]];

		for (size_t n = 0; node->selected && n < node->need_count; n++)
			graph->nodes[node->needs[n].to].selected = true;
	}
	return 0;
}

void graph_select_restarting(struct graph *graph)
{
	for (size_t i = 0; i < graph->count; i++) {
		struct graph_node *node = &graph->nodes[graph->order[i]];

		for (size_t n = 0; n < node->need_count; n++)
			if (node->needs[n].restart && graph->nodes[node->needs[n].to].selected)
				node->selected = true;
	}
}
