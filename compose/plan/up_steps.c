// SPDX-License-Identifier: GPL-2.0-or-later

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "compose/plan/up.h"

/* It bears the name that the new one is to have until the old one is gone. */
static void after_half_made(struct up *up, const struct graph_node *node, const struct slot *slot)
{
	const struct slots *slots = up_slots(up, node);

	for (size_t i = 0; i < slots->count; i++) {
		const struct slot *other = &slots->items[i];

		if (other->fact && other->fact->number == slot->number && other != slot)
			operation_after(up->planning->plan, slot->create, other->remove);
	}
}

void up_step_create(struct up *up, const struct graph_node *node, struct slot *slot)
{
	struct plan *plan = up->planning->plan;
	struct operation *operation = NULL;

	images_await(up->planning, &up->images_awaited, node->service);
	slot->create = operation_add(plan, OP_CREATE_CONTAINER, slot->name, "%s", slot->cause);
	slot->ready = slot->create;
	operation = &plan->operations[slot->create];
	operation->service = alloc_string(node->name);
	operation->number = slot->number;
	operation->oneoff = slot->oneoff;
	if (slot->fate == FATE_RECREATE) {
		operation->recreate = true;
		operation->replaces = alloc_string(slot->fact->id);
		operation->changes = up_changes(up, node, slot->fact);
		operation->new_name = str_printf("%.12s_%s", slot->fact->id, slot->name);
		operation->standby = slot->beside;
	}
	for (size_t i = 0; i < node->getting_count; i++)
		operation_after(plan, slot->create, node->getting[i]);
	up_objects_before(up, slot->create, node->service);
	images_after(up->planning, &up->images_awaited, slot->create, node->service);
	after_half_made(up, node, slot);
}

void up_step_stop(struct up *up, const struct graph_node *node, struct slot *slot)
{
	struct plan *plan = up->planning->plan;

	/* What only stood by is removed already, without a grace. */
	if (!container_is_alive(slot->fact) || slot->beside || slot->remove != NO_OPERATION)
		return;
	slot->stop = operation_add_existing(plan, OP_STOP_CONTAINER, slot->fact, slot->cause);
	plan->operations[slot->stop].timeout_usec = up->planning->options->timeout_usec;
	operation_after(plan, slot->stop, slot->create);
	slot->ready = slot->stop;
	/* Those that need it stop first, if they stop at all. */
	for (size_t i = 0; i < node->needed_by_count; i++) {
		const struct slots *others = &up->services[node->needed_by[i]];

		for (size_t s = 0; s < others->count; s++)
			operation_after(plan, slot->stop, others->items[s].stop);
	}
}

void up_step_remove(struct up *up, struct slot *slot)
{
	struct plan *plan = up->planning->plan;

	slot->remove = operation_add_existing(plan, OP_REMOVE_CONTAINER, slot->fact, slot->cause);
	plan->operations[slot->remove].volumes = up->planning->options->renew_anon_volumes;
	plan->operations[slot->remove].recreate = slot->fate == FATE_RECREATE;
	operation_after(plan, slot->remove, slot->create);
	operation_after(plan, slot->remove, slot->stop);
}

void up_step_rename(struct up *up, const struct graph_node *node, struct slot *slot)
{
	struct plan *plan = up->planning->plan;
	const char *from = plan->operations[slot->create].new_name;
	size_t rename = operation_add(plan, OP_RENAME_CONTAINER, from, "%s", slot->cause);
	struct operation *operation = &plan->operations[rename];

	operation->new_name = alloc_string(slot->name);
	operation->service = alloc_string(node->name);
	operation->number = slot->number;
	operation->recreate = true;
	free(operation->object);
	operation->object = str_printf("Container %s", slot->name);
	operation_after(plan, rename, slot->create);
	operation_after(plan, rename, slot->remove);
	slot->ready = rename;
}

/* A recreation ended between the removal of the old one and the renaming. */
void up_step_late_rename(struct up *up, const struct graph_node *node, struct slot *slot)
{
	const struct slots *slots = up_slots(up, node);
	struct plan *plan = up->planning->plan;
	size_t rename = operation_add_existing(plan, OP_RENAME_CONTAINER, slot->fact,
					       "a recreation was interrupted");

	plan->operations[rename].new_name = alloc_string(slot->name);
	/* It may have taken over from one that still bears the name. */
	for (size_t i = 0; i < slots->count; i++)
		if (slots->items[i].number == slot->number)
			operation_after(plan, rename, slots->items[i].remove);
	slot->ready = rename;
}

int up_step_start(struct up *up, struct waits *waits, const struct graph_node *node,
		  struct slot *slot, struct error *err)
{
	struct plan *plan = up->planning->plan;
	bool exists = slot->fate == FATE_START || slot->fate == FATE_RESTART;
	_cleanup_free_ size_t *after = NULL;
	size_t after_count = 0, start = NO_OPERATION;
	int r = 0;

	r = waits_for_dependencies(waits, node, &after, &after_count, err);
	if (r < 0)
		return r;
	start = operation_add(plan, OP_START_CONTAINER, slot->name, "%s", slot->cause);
	if (exists)
		plan->operations[start].id = alloc_string(slot->fact->id);
	plan->operations[start].service = alloc_string(node->name);
	plan->operations[start].number = slot->number;
	plan->operations[start].oneoff = slot->oneoff;
	plan->operations[start].updated = slot->update_cause != NULL;
	operation_after(plan, start, slot->ready);
	up_objects_before(up, start, node->service);
	for (size_t i = 0; i < after_count; i++)
		operation_after(plan, start, after[i]);
	waits_add_container(waits, node, slot->name, exists ? slot->fact->id : NULL, slot->number,
			    start, slot->fact);
	return 0;
}

/* What depends on it goes by its name, so by the time that it has it. */
int up_step_handover(struct up *up, struct waits *waits, const struct graph_node *node,
		     struct slot *slot, struct error *err)
{
	struct plan *plan = up->planning->plan;
	_cleanup_free_ char *temporary = alloc_string(plan->operations[slot->create].new_name);
	_cleanup_free_ size_t *after = NULL;
	struct handover handover = {.node = node,
				    .old = slot->fact,
				    .name = slot->name,
				    .temporary = temporary,
				    .cause = slot->cause,
				    .number = slot->number,
				    .create = slot->create};
	int r = waits_for_dependencies(waits, node, &after, &handover.after_count, err);

	if (r < 0)
		return r;
	handover.after = after;
	handover_plan(up->planning, &up_slots(up, node)->handovers, &handover);
	up_objects_before(up, handover.start, node->service);
	waits_add_container(waits, node, slot->name, NULL, slot->number, handover.ready,
			    slot->fact);
	return 0;
}
