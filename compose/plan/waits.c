// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/plan/operations.h"

/* A container that there will be when the plan is done. */
struct awaited {
	char *name, *id;
	unsigned int number;
	size_t start; /* NO_OPERATION: it runs already, or is not started */
	const struct fact_container *fact;
};

struct awaited_service {
	struct awaited *containers;
	size_t count;
};

struct waits {
	struct planning *planning;
	struct awaited_service *services; /* as the graph's nodes */
	struct map operations;            /* "NAME CONDITION REQUIRED" to index + 1 */
};

struct waits *waits_new(struct planning *planning)
{
	struct waits *waits = new (struct waits);

	waits->planning = planning;
	waits->services = new_array(struct awaited_service, planning->graph->count + 1);
	return waits;
}

void waits_free(struct waits *waits)
{
	for (size_t i = 0; i < waits->planning->graph->count; i++) {
		for (size_t c = 0; c < waits->services[i].count; c++) {
			free(waits->services[i].containers[c].name);
			free(waits->services[i].containers[c].id);
		}
		free(waits->services[i].containers);
	}
	free(waits->services);
	map_done(&waits->operations, NULL);
	free(waits);
}

static struct awaited_service *service_of(const struct waits *waits, const struct graph_node *node)
{
	return &waits->services[node - waits->planning->graph->nodes];
}

void waits_add_container(struct waits *waits, const struct graph_node *node, const char *name,
			 const char *id, unsigned int number, size_t start,
			 const struct fact_container *fact)
{
	struct awaited_service *service = service_of(waits, node);
	struct awaited *container = array_add(service->containers, service->count);

	container->name = alloc_string(name);
	container->id = alloc_string(id);
	container->number = number;
	container->start = start;
	container->fact = fact;
}

/* Of an image that is still coming: it may have one, and whoever waits will see. */
static bool has_healthcheck(const struct waits *waits, const struct graph_node *node,
			    const struct fact_container *fact)
{
	const struct healthcheck *check = node->service ? &node->service->healthcheck : NULL;

	if (!check)
		return fact && fact->health != HEALTH_NONE;
	if (node->service->berth.probe.given)
		return true;
	if (check->disable)
		return false;
	if (check->given && check->test.set && check->test.args)
		return !str_equal(check->test.args[0], "NONE");
	if (image_is_coming(waits->planning->facts, node->service->image))
		return true;
	return node->image && node->image->has_healthcheck;
}

static bool holds_already(const struct awaited *container, enum condition condition)
{
	const struct fact_container *fact = container->fact;

	if (container->start != NO_OPERATION || !fact)
		return false;
	switch (condition) {
	case CONDITION_STARTED:
		return fact->state == CONTAINER_RUNNING;
	case CONDITION_HEALTHY:
		return fact->health == HEALTH_HEALTHY;
	case CONDITION_COMPLETED:
		return fact->state == CONTAINER_EXITED && fact->exit_code == 0;
	}
	return false;
}

struct wait_request {
	const struct graph_node *node;
	const struct awaited *container;
	enum condition condition;
	bool required, final;
	const char *waiter;
};

/* One wait serves all that want the same. */
static size_t wait_operation(struct waits *waits, const struct wait_request *want)
{
	struct plan *plan = waits->planning->plan;
	_cleanup_free_ char *key =
		str_printf("%s %d %d", want->container->name, want->condition, want->required);
	size_t index = (size_t)map_get(&waits->operations, key);

	if (index) {
		plan->operations[index - 1].final |= want->final;
		return index - 1;
	}
	if (want->waiter)
		index = operation_add(plan, OP_WAIT, want->container->name,
				      want->required ? "%s needs it" : "%s can do without it",
				      want->waiter);
	else
		index = operation_add(plan, OP_WAIT, want->container->name, "--wait");
	plan->operations[index].id = alloc_string(want->container->id);
	plan->operations[index].service = alloc_string(want->node->name);
	plan->operations[index].number = want->container->number;
	plan->operations[index].condition = want->condition;
	plan->operations[index].required = want->required;
	plan->operations[index].final = want->final;
	plan->operations[index].waiter = alloc_string(want->waiter);
	operation_after(plan, index, want->container->start);
	map_set(&waits->operations, key, (void *)(index + 1));
	return index;
}

static int check_healthcheck(const struct waits *waits, const struct wait_request *want,
			     struct error *err)
{
	if (want->condition != CONDITION_HEALTHY || !want->required || due_has_image(want->node) ||
	    has_healthcheck(waits, want->node, want->container->fact))
		return 0;
	return error_set(err, EINVAL,
			 "dependency failed to start: container %s has no healthcheck configured: "
			 "service \"%s\" waits for it to be healthy; give \"%s\" a healthcheck, or "
			 "depend on service_started",
			 want->container->name, want->waiter, want->node->name);
}

struct prerequisites {
	size_t *items, count;
};

static void prerequisite_add(struct prerequisites *list, size_t operation)
{
	size_t *slot = NULL;

	if (operation == NO_OPERATION)
		return;
	slot = array_add(list->items, list->count);
	*slot = operation;
}

static int waits_for_edge(struct waits *waits, const struct graph_node *node,
			  const struct graph_edge *edge, struct prerequisites *list,
			  struct error *err)
{
	const struct graph_node *needed = &waits->planning->graph->nodes[edge->to];
	const struct awaited_service *service = service_of(waits, needed);
	int r = 0;

	for (size_t i = 0; i < service->count; i++) {
		const struct awaited *container = &service->containers[i];
		const struct wait_request want = {
			.node = needed,
			.container = container,
			.condition = edge->condition,
			/* What ran before is not to stay down for another's sake. */
			.required = edge->required && !waits->planning->options->containers,
			.waiter = node->name,
		};

		r = check_healthcheck(waits, &want, err);
		if (r < 0)
			return r;
		if (edge->condition == CONDITION_STARTED && want.required)
			prerequisite_add(list, container->start);
		else if (!holds_already(container, edge->condition))
			prerequisite_add(list, wait_operation(waits, &want));
	}
	return 0;
}

int waits_for_dependencies(struct waits *waits, const struct graph_node *node, size_t **ret_after,
			   size_t *ret_count, struct error *err)
{
	struct prerequisites list = {0};
	int r = 0;

	for (size_t i = 0; i < node->need_count && r >= 0; i++)
		if (waits->planning->graph->nodes[node->needs[i].to].selected)
			r = waits_for_edge(waits, node, &node->needs[i], &list, err);
	if (r < 0) {
		free(list.items);
		return r;
	}
	*ret_after = list.items;
	*ret_count = list.count;
	return 0;
}

/* What `--wait` asks of a service: to be healthy or running, unless it is known to end. */
static enum condition final_condition(const struct waits *waits, const struct graph_node *node)
{
	const struct graph *graph = waits->planning->graph;

	for (size_t i = 0; i < node->needed_by_count; i++) {
		const struct graph_node *other = &graph->nodes[node->needed_by[i]];

		for (size_t n = 0; n < other->need_count; n++)
			if (&graph->nodes[other->needs[n].to] == node &&
			    other->needs[n].condition == CONDITION_COMPLETED)
				return CONDITION_COMPLETED;
	}
	return has_healthcheck(waits, node, node->container_count ? node->containers[0] : NULL)
		       ? CONDITION_HEALTHY
		       : CONDITION_STARTED;
}

void waits_for_all(struct waits *waits)
{
	const struct graph *graph = waits->planning->graph;

	for (size_t i = 0; i < graph->count; i++) {
		const struct graph_node *node = &graph->nodes[graph->order[i]];
		const struct awaited_service *service = service_of(waits, node);

		for (size_t c = 0; node->selected && c < service->count; c++) {
			const struct wait_request want = {
				.node = node,
				.container = &service->containers[c],
				.condition = final_condition(waits, node),
				.required = true,
				.final = true,
			};

			if (!holds_already(want.container, want.condition))
				wait_operation(waits, &want);
		}
	}
}
