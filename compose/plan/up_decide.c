// SPDX-License-Identifier: GPL-2.0-or-later

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "compose/plan/up.h"

static unsigned int replicas_wanted(const struct up *up, const struct service *service)
{
	const struct plan_options *options = up->planning->options;

	for (size_t i = 0; i < options->scale_count; i++)
		if (str_equal(options->scales[i].service, service->name))
			return options->scales[i].replicas;
	return service_replicas(service);
}

static char *container_name(const struct up *up, const struct service *service, unsigned int number)
{
	if (service->container_name)
		return alloc_string(service->container_name);
	return str_printf(up->planning->options->underscores ? "%s_%s_%u" : "%s-%s-%u",
			  up->planning->project->name, service->name, number);
}

static enum plan_recreate recreate_policy(const struct up *up, const struct graph_node *node)
{
	const struct plan_options *options = up->planning->options;

	if (node->named)
		return options->recreate;
	return options->always_recreate_deps ? RECREATE_FORCE : options->recreate_dependencies;
}

static const char *replaced_parent(const struct up *up, const struct fact_container *fact)
{
	for (const char *const *id = fact->parents; id && *id; id++) {
		const struct slot *parent = map_get(&up->replaced_ids, *id);

		if (parent)
			return parent->name;
	}
	return NULL;
}

/* Of a recreation that was interrupted: the other one was made anew, this one not yet. */
static bool parent_is_gone(const struct up *up, const struct fact_container *fact)
{
	const struct facts *facts = up->planning->facts;

	for (const char *const *id = fact->parents; id && *id; id++) {
		size_t i = 0;

		while (i < facts->container_count && !str_equal(facts->containers[i].id, *id))
			i++;
		if (i == facts->container_count)
			return true;
	}
	return false;
}

/* Why a container has to be made anew; NULL: it need not be. */
static char *recreate_cause(struct up *up, const struct graph_node *node,
			    const struct fact_container *fact, const char *hash)
{
	const char *other = NULL;

	switch (recreate_policy(up, node)) {
	case RECREATE_NEVER:
		return NULL;
	case RECREATE_FORCE:
		if (!fact->made_for_this)
			return alloc_string("asked for");
		break;
	case RECREATE_DIVERGED:
		break;
	}
	if (fact->state == CONTAINER_DEAD)
		return alloc_string("it is dead");
	if (!str_equal(fact->config_hash, hash) && !up_can_be_updated(up, node, fact))
		return up_difference_cause(up, node, fact);
	if (node->image && node->image->id && fact->image_id &&
	    !str_equal(fact->image_id, node->image->id))
		return alloc_string("image changed");
	if (fact->stale_volumes)
		return alloc_string("the image of a volume changed");
	other = images_coming_for(up->planning->facts, node->service);
	if (other)
		return str_printf("image %s is being pulled", other);
	other = up_changed_network(up, fact);
	if (other)
		return str_printf("network %s changed", other);
	if (parent_is_gone(up, fact))
		return alloc_string("a container whose namespace or volumes it shares is gone");
	other = replaced_parent(up, fact);
	return other ? str_printf("%s, whose namespace or volumes it shares, is made anew", other)
		     : NULL;
}

/* For this request, before a crash that came before @dependent could be restarted. */
static bool was_replaced(const struct graph_node *needed, const struct fact_container *dependent)
{
	for (size_t i = 0; i < needed->container_count; i++)
		if (needed->containers[i]->made_for_this &&
		    needed->containers[i]->created_nsec > dependent->started_nsec)
			return true;
	return false;
}

static const struct graph_node *restarting_need(const struct up *up, const struct graph_node *node,
						const struct fact_container *fact)
{
	for (size_t i = 0; i < node->need_count; i++) {
		const struct graph_node *needed = &up->planning->graph->nodes[node->needs[i].to];

		if (node->needs[i].restart &&
		    (up_slots(up, needed)->replaced || was_replaced(needed, fact)))
			return needed;
	}
	return NULL;
}

/* A network that is made anew is in use until the old one is gone. */
static bool stands_beside(const struct up *up, const struct graph_node *node,
			  const struct fact_container *fact)
{
	return handover_wanted(up->planning, node) && fact->state == CONTAINER_RUNNING &&
	       !up_changed_network(up, fact) && !container_has_temporary_name(fact);
}

static void decide_existing(struct up *up, const struct graph_node *node, struct slot *slot,
			    const char *hash)
{
	const struct graph_node *restarting = NULL;

	if (container_is_half_made(node, slot->fact)) {
		slot->fate = FATE_REMOVE;
		slot->cause = alloc_string("left by a recreation that was interrupted");
		return;
	}
	if (container_is_replaced(node, slot->fact)) {
		slot->fate = FATE_REMOVE;
		slot->cause = alloc_string("another one has taken over from it");
		return;
	}
	slot->cause = recreate_cause(up, node, slot->fact, hash);
	if (slot->cause) {
		slot->fate = FATE_RECREATE;
		slot->diverged = true;
		slot->beside = stands_beside(up, node, slot->fact);
		return;
	}
	if (recreate_policy(up, node) != RECREATE_NEVER &&
	    !str_equal(slot->fact->config_hash, hash)) {
		_cleanup_json_ json_t *changes = up_changes(up, node, slot->fact);

		slot->update_cause = up_update_cause(changes);
	}
	restarting = restarting_need(up, node, slot->fact);
	if (slot->fact->state == CONTAINER_PAUSED) {
		slot->fate = FATE_UNPAUSE;
		slot->cause = alloc_string("it is paused");
	} else if (container_is_done_with(node->service, slot->fact)) {
		slot->fate = FATE_KEEP;
	} else if (!container_is_alive(slot->fact)) {
		slot->fate = FATE_START;
		slot->cause = str_printf("it is %s", container_state_name(slot->fact->state));
	} else if (restarting) {
		slot->fate = FATE_RESTART;
		slot->cause = str_printf("%s is made anew", restarting->name);
	}
}

/* Fewer are wanted: those that would be made anew go first, then the highest numbers. */
static void decide_surplus(struct slots *slots, size_t wanted)
{
	size_t left = 0;

	for (size_t i = 0; i < slots->count; i++)
		left += slots->items[i].fate != FATE_REMOVE;
	for (; left > wanted; left--) {
		struct slot *victim = NULL;

		for (size_t i = 0; i < slots->count; i++) {
			struct slot *slot = &slots->items[i];

			if (slot->fate != FATE_REMOVE &&
			    (!victim || slot->diverged >= victim->diverged))
				victim = slot;
		}
		victim->fate = FATE_REMOVE;
		victim->beside = false;
		free(victim->cause);
		victim->cause = str_printf("%zu wanted", wanted);
	}
}

static void decide_missing(struct up *up, const struct graph_node *node, size_t wanted)
{
	struct slots *slots = up_slots(up, node);
	unsigned int highest = 0;
	size_t there = 0;

	for (size_t i = 0; i < slots->count; i++) {
		if (slots->items[i].fate == FATE_REMOVE)
			continue;
		highest = slots->items[i].number;
		there++;
	}
	for (; there < wanted; there++) {
		struct slot *slot = array_add(slots->items, slots->count);

		slot->fate = FATE_CREATE;
		slot->number = ++highest;
		slot->name = container_name(up, node->service, slot->number);
		slot->cause = wanted == 1 ? alloc_string("no container yet")
					  : str_printf("%zu wanted", wanted);
	}
}

static int check_wanted(const struct up *up, const struct graph_node *node, size_t wanted,
			struct error *err)
{
	if (node->service->container_name && wanted > 1)
		return error_set(err, EINVAL,
				 "service %s: container_name \"%s\" must be unique, and %zu "
				 "containers are wanted: remove the name or scale to 1",
				 node->name, node->service->container_name, wanted);
	return 0;
}

/*
 * `run`: one container of this name, beside those of the service. One that is there was made by
 * this very request, before the supervisor was killed: at most it is still to be started.
 */
static void decide_oneoff(struct up *up, const struct graph_node *node)
{
	const char *name = up->planning->options->oneoff;
	struct slots *slots = up_slots(up, node);
	struct slot *slot = array_add(slots->items, slots->count);

	*slot = (struct slot){.fate = FATE_CREATE, .number = 1, .oneoff = true};
	slot->name = alloc_string(name);
	slot->cause = alloc_string("asked for");
	for (size_t i = 0; i < node->container_count; i++) {
		const struct fact_container *fact = node->containers[i];

		if (!fact->oneoff || !str_equal(fact->name, name))
			continue;
		slot->fact = fact;
		slot->fate = fact->state == CONTAINER_CREATED ? FATE_START : FATE_KEEP;
	}
}

static int decide_service(struct up *up, const struct graph_node *node, struct error *err)
{
	struct slots *slots = up_slots(up, node);
	size_t wanted = replicas_wanted(up, node->service);
	char hash[65];
	int r = 0;

	if (node->named && up->planning->options->oneoff) {
		decide_oneoff(up, node);
		return 0;
	}
	r = check_wanted(up, node, wanted, err);
	if (r < 0)
		return r;
	service_hash(up->planning->project, node->service, hash);
	for (size_t i = 0; i < node->container_count && !node->containers[i]->oneoff; i++) {
		struct slot *slot = array_add(slots->items, slots->count);

		slot->fact = node->containers[i];
		slot->number = slot->fact->number;
		slot->name = container_name(up, node->service, slot->number);
		decide_existing(up, node, slot, hash);
	}
	decide_surplus(slots, wanted);
	decide_missing(up, node, wanted);
	for (size_t i = 0; i < slots->count; i++) {
		if (slots->items[i].fate != FATE_RECREATE)
			continue;
		slots->replaced = true;
		map_set(&up->replaced_ids, slots->items[i].fact->id, &slots->items[i]);
	}
	return 0;
}

static int check_image(const struct up *up, const struct graph_node *node, struct error *err)
{
	const struct slots *slots = up_slots(up, node);

	if (image_is_coming(up->planning->facts, node->service->image))
		return 0;
	for (size_t i = 0; i < slots->count; i++) {
		if ((slots->items[i].fate != FATE_CREATE &&
		     slots->items[i].fate != FATE_RECREATE) ||
		    !node->image || node->image->id || due_has_image(node))
			continue;
		if (!node->service->image)
			return error_set(err, ENOENT,
					 "service %s: has no image: name one that is here with "
					 "`image:`",
					 node->name);
		return error_set(err, ENOENT,
				 "service %s: image %s is not here; get it with \"berth pull\", "
				 "\"berth image load\" or \"berth image import\"",
				 node->name, node->service->image);
	}
	return 0;
}

int up_decide(struct up *up, struct error *err)
{
	const struct graph *graph = up->planning->graph;
	int r = 0;

	for (size_t i = 0; i < graph->count; i++) {
		const struct graph_node *node = &graph->nodes[graph->order[i]];

		if (!node->selected || !node->service)
			continue;
		r = decide_service(up, node, err);
		if (r < 0)
			return r;
		r = check_image(up, node, err);
		if (r < 0)
			return r;
	}
	return 0;
}
