// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * `up` and `create`: first what becomes of each container is decided, needed services first, then
 * the operations are written down in an order in which prerequisites always stand before.
 *
 *   images -> networks and volumes that are missing -> new containers -> stops (those that need
 * first)
 *   -> removals -> networks that changed -> renames -> starts and waits
 *
 * Making a container touches no network (that is the start's work), so new ones can be made while
 * the old ones still run: what cannot be made leaves the old ones as they were.
 */

#include "compose/plan/up.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

struct slots *up_slots(const struct up *up, const struct graph_node *node)
{
	return &up->services[node - up->planning->graph->nodes];
}

const struct graph_node *up_node(const struct up *up, size_t i, bool backwards)
{
	const struct graph *graph = up->planning->graph;

	return &graph->nodes[graph->order[backwards ? graph->count - 1 - i : i]];
}

static int emit_running(struct up *up, struct waits *waits, const struct graph_node *node,
			struct slot *slot, struct error *err)
{
	struct plan *plan = up->planning->plan;
	size_t operation = NO_OPERATION;

	switch (slot->fate) {
	case FATE_REMOVE:
		return 0;
	case FATE_KEEP:
		if (container_is_alive(slot->fact) && !slot->update_cause)
			strv_append(&plan->running, slot->name);
		break;
	case FATE_UNPAUSE:
		operation =
			operation_add_existing(plan, OP_UNPAUSE_CONTAINER, slot->fact, slot->cause);
		break;
	default:
		/* A job's schedule starts it, others the first connection unless they ran. */
		if (node->service && node->service->berth.schedule.calendar && !slot->oneoff)
			return 0;
		if (node_awaits_connections(node) && !slot->oneoff &&
		    !(slot->fact && container_is_alive(slot->fact)))
			return 0;
		return slot->beside ? up_step_handover(up, waits, node, slot, err)
				    : up_step_start(up, waits, node, slot, err);
	}
	waits_add_container(waits, node, slot->name, slot->fact->id, slot->number, operation,
			    slot->fact);
	return 0;
}

static void emit_orphan_removal(struct up *up, const struct fact_container *fact)
{
	struct plan *plan = up->planning->plan;
	size_t stop = NO_OPERATION, gone = NO_OPERATION;

	if (container_is_alive(fact)) {
		stop = operation_add_existing(plan, OP_STOP_CONTAINER, fact,
					      "not in the file any more");
		plan->operations[stop].timeout_usec = up->planning->options->timeout_usec;
	}
	gone = operation_add_existing(plan, OP_REMOVE_CONTAINER, fact, "not in the file any more");
	operation_after(plan, gone, stop);
}

static bool is_orphan(const struct up *up, const struct graph_node *node)
{
	return !node->service &&
	       !strv_contains(up->planning->project->disabled_services, node->name);
}

static void emit_orphans(struct up *up)
{
	const struct graph *graph = up->planning->graph;
	_cleanup_strbuf_ struct strbuf names = {0};

	for (size_t i = 0; i < graph->count; i++) {
		const struct graph_node *node = &graph->nodes[i];

		for (size_t c = 0; is_orphan(up, node) && c < node->container_count; c++) {
			if (node->containers[c]->oneoff)
				continue;
			if (up->planning->options->remove_orphans)
				emit_orphan_removal(up, node->containers[c]);
			else
				strbuf_addf(&names, "%s%s", names.length ? " " : "",
					    node->containers[c]->name);
		}
	}
	if (names.length)
		plan_warn(up->planning->plan,
			  "Found orphan containers ([%s]) for this project. If you removed or "
			  "renamed this service in your compose file, you can run this command "
			  "with the --remove-orphans flag to clean it up.",
			  names.data);
}

static void emit_stops_and_removals(struct up *up)
{
	up_foreach_slot(up, half, slot, false)
		if (slot->fact && container_is_half_made(half, slot->fact))
			up_step_remove(up, slot);
	up_foreach_slot(up, node, slot, false)
		if (slot->fate == FATE_CREATE || slot->fate == FATE_RECREATE)
			up_step_create(up, node, slot);
	up_foreach_slot(up, stopping, slot, true)
		if (slot->fate == FATE_RECREATE || slot->fate == FATE_RESTART ||
		    slot->fate == FATE_REMOVE)
			up_step_stop(up, stopping, slot);
	up_foreach_slot(up, removing, slot, true)
		if ((slot->fate == FATE_RECREATE || slot->fate == FATE_REMOVE) && !slot->beside &&
		    slot->remove == NO_OPERATION)
			up_step_remove(up, slot);
	up_objects_replace_networks(up);
	up_foreach_slot(up, renaming, slot, false) {
		if (slot->beside)
			continue;
		if (slot->fate == FATE_RECREATE)
			up_step_rename(up, renaming, slot);
		else if (slot->fact && slot->fate != FATE_REMOVE &&
			 container_has_temporary_name(slot->fact))
			up_step_late_rename(up, renaming, slot);
	}
}

static void emit_updates(struct up *up)
{
	struct plan *plan = up->planning->plan;

	up_foreach_slot(up, node, slot, false) {
		size_t update;

		if (!slot->update_cause || slot->fate == FATE_REMOVE)
			continue;
		update = operation_add_existing(plan, OP_UPDATE_CONTAINER, slot->fact,
						slot->update_cause);
		plan->operations[update].changes = up_changes(up, node, slot->fact);
		/* A rename, or a stop, of the same comes first. */
		operation_after(plan, update, slot->ready);
		slot->ready = update;
	}
}

static int emit_starts(struct up *up, struct error *err)
{
	struct waits *waits = waits_new(up->planning);
	int r = 0;

	up_foreach_slot(up, node, slot, false) {
		r = emit_running(up, waits, node, slot, err);
		if (r < 0)
			goto out;
	}
	if (up->planning->options->wait)
		waits_for_all(waits);
out:
	waits_free(waits);
	return r;
}

/* What becomes of a container that is there is only known when its image is. */
static void note_refreshes(struct up *up)
{
	static const char note[] = "; what runs it is made anew if it is another one";
	struct plan *plan = up->planning->plan;

	up_foreach_slot(up, node, slot, false) {
		if (!slot->fact || slot->fate == FATE_RECREATE || slot->fate == FATE_REMOVE)
			continue;
		for (size_t i = 0; i < node->getting_count; i++) {
			char **cause = &plan->operations[node->getting[i]].cause;
			_cleanup_free_ char *said = TAKE_PTR(*cause);

			*cause = str_ends_with(said, note) ? TAKE_PTR(said)
							   : str_printf("%s%s", said, note);
		}
	}
}

static int plan_up_into(struct up *up, struct error *err)
{
	int r = 0;

	due_operations(up->planning);
	r = up_objects_plan(up, err);
	if (r < 0)
		return r;
	r = up_decide(up, err);
	if (r < 0)
		return r;
	up_foreach_slot(up, node, slot, false)
		slot->create = slot->stop = slot->remove = slot->ready = NO_OPERATION;
	note_refreshes(up);
	emit_stops_and_removals(up);
	emit_updates(up);
	if (!up->planning->options->no_start)
		r = emit_starts(up, err);
	if (r >= 0)
		emit_orphans(up);
	return r;
}

int plan_up(struct planning *planning, struct error *err)
{
	const struct graph *graph = planning->graph;
	struct up up = {.planning = planning};
	int r = 0;

	if (!planning->project)
		return error_set(err, EINVAL, "there is no project to bring up");
	up.services = new_array(struct slots, graph->count + 1);
	r = plan_up_into(&up, err);
	for (size_t i = 0; i < graph->count; i++) {
		for (size_t s = 0; s < up.services[i].count; s++) {
			free(up.services[i].items[s].name);
			free(up.services[i].items[s].cause);
			free(up.services[i].items[s].update_cause);
		}
		free(up.services[i].items);
		free(up.services[i].handovers.batch);
	}
	free(up.services);
	map_done(&up.replaced_ids, NULL);
	map_done(&up.changed_networks, NULL);
	map_done(&up.network_ready, NULL);
	map_done(&up.volume_ready, NULL);
	map_done(&up.images_awaited, NULL);
	json_decref(up.canonical);
	return r;
}
