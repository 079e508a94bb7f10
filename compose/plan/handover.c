// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * handover.c - `update_config.order: start-first`: a container is replaced while it runs.
 *
 *   create -> start -> wait until healthy -> switch traffic -> drain the old one -> stop -> remove
 *   -> rename; and where the switch did not come about: remove the new one
 *
 * `parallelism` of them at a time; between those stands a gate that counts what failed.
 */
#include <limits.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

#include "compose/plan/operations.h"

static const struct update_config *config_of(const struct planning *planning,
					     const struct graph_node *node)
{
	const struct deploy *deploy = &node->service->deploy;

	return planning->options->rollback && deploy->rollback_config.given
		       ? &deploy->rollback_config
		       : &deploy->update_config;
}

/* Two containers cannot have one address, and nothing is switched where there is no network. */
static bool can_stand_beside(const struct service *service)
{
	if (service->network_mode || service->mac_address)
		return false;
	for (size_t i = 0; i < service->network_count; i++)
		if (service->networks[i].ipv4_address || service->networks[i].ipv6_address ||
		    service->networks[i].mac_address)
			return false;
	return true;
}

bool handover_wanted(const struct planning *planning, const struct graph_node *node)
{
	return node->service && !planning->options->no_start &&
	       !node->service->berth.schedule.calendar && !node->service->berth.socket_count &&
	       str_equal(config_of(planning, node)->order, "start-first") &&
	       can_stand_beside(node->service);
}

static size_t replicas_at_once(const struct update_config *config)
{
	if (!config->parallelism.set)
		return 1;
	return config->parallelism.value ? (size_t)config->parallelism.value : SIZE_MAX;
}

static unsigned int failures_allowed(const struct update_config *config,
				     const struct graph_node *node)
{
	if (str_equal(config->failure_action, "continue"))
		return UINT_MAX;
	if (!config->max_failure_ratio.set)
		return 0;
	return (unsigned int)(config->max_failure_ratio.value * service_replicas(node->service));
}

/* After all of a batch, whatever became of them, and before the first of the next. */
static void add_gate(struct planning *planning, struct handovers *handovers,
		     const struct graph_node *node)
{
	const struct update_config *config = config_of(planning, node);
	size_t gate = operation_add(planning->plan, OP_PROCEED, node->name, "%zu replicas are done",
				    handovers->count);
	struct operation *operation = &planning->plan->operations[gate];

	operation->service = alloc_string(node->name);
	operation->always = true;
	operation->allowed = failures_allowed(config, node);
	operation->delay_usec = config->delay.set ? config->delay.value : 0;
	for (size_t i = 0; i < handovers->batch_count; i++)
		operation_after(planning->plan, gate, handovers->batch[i]);
	handovers->batch_count = 0;
	handovers->gate = gate + 1;
}

static size_t add_new(struct planning *planning, enum operation_kind kind,
		      const struct handover *handover, size_t after)
{
	size_t index =
		operation_add(planning->plan, kind, handover->temporary, "%s", handover->cause);
	struct operation *operation = &planning->plan->operations[index];

	operation->service = alloc_string(handover->node->name);
	operation->number = handover->number;
	operation->standby = true;
	operation_after(planning->plan, index, after);
	return index;
}

static size_t add_old(struct planning *planning, enum operation_kind kind,
		      const struct handover *handover, size_t after)
{
	size_t index = operation_add_existing(planning->plan, kind, handover->old, handover->cause);

	planning->plan->operations[index].timeout_usec = planning->options->timeout_usec;
	operation_after(planning->plan, index, after);
	return index;
}

static size_t add_switch(struct planning *planning, const struct handover *handover)
{
	const struct update_config *config = config_of(planning, handover->node);
	size_t wait = add_new(planning, OP_WAIT, handover, handover->start);
	size_t change, undo;

	planning->plan->operations[wait].condition = CONDITION_HEALTHY;
	planning->plan->operations[wait].delay_usec =
		config->monitor.set ? config->monitor.value : 0;
	change = add_new(planning, OP_SWITCH_TRAFFIC, handover, wait);
	planning->plan->operations[change].replaces = alloc_string(handover->old->id);
	undo = add_new(planning, OP_REMOVE_CONTAINER, handover, change);
	planning->plan->operations[undo].always = true;
	planning->plan->operations[undo].recreate = true;
	return change;
}

void handover_plan(struct planning *planning, struct handovers *handovers,
		   struct handover *handover)
{
	struct plan *plan = planning->plan;
	size_t change, remove;

	if (handovers->count &&
	    handovers->batch_count >= replicas_at_once(config_of(planning, handover->node)))
		add_gate(planning, handovers, handover->node);
	handover->start = add_new(planning, OP_START_CONTAINER, handover, handover->create);
	if (handovers->gate)
		operation_after(plan, handover->start, handovers->gate - 1);
	for (size_t i = 0; i < handover->after_count; i++)
		operation_after(plan, handover->start, handover->after[i]);
	change = add_switch(planning, handover);
	handovers->count++;
	*array_add(handovers->batch, handovers->batch_count) = change;
	remove = add_old(planning, OP_DRAIN_CONTAINER, handover, change);
	remove = add_old(planning, OP_STOP_CONTAINER, handover, remove);
	remove = add_old(planning, OP_REMOVE_CONTAINER, handover, remove);
	plan->operations[remove].recreate = true;
	plan->operations[remove].volumes = planning->options->renew_anon_volumes;
	handover->ready = add_new(planning, OP_RENAME_CONTAINER, handover, remove);
	plan->operations[handover->ready].new_name = alloc_string(handover->name);
	plan->operations[handover->ready].recreate = true;
	free(plan->operations[handover->ready].object);
	plan->operations[handover->ready].object = str_printf("Container %s", handover->name);
}
