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

#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/plan/operations.h"

enum fate {
	FATE_KEEP,
	FATE_START, /* it is there and does not run */
	FATE_UNPAUSE,
	FATE_CREATE,
	FATE_RECREATE,
	FATE_RESTART, /* it runs, and something it needs with `restart: true` is made anew */
	FATE_REMOVE,
};

struct slot {
	enum fate fate;
	const struct fact_container *fact; /* NULL with FATE_CREATE */
	char *name, *cause;
	unsigned int number;
	bool diverged, oneoff;
	bool beside;        /* it is replaced while it runs: handover.c */
	char *update_cause; /* it stays, and is given what changed; NULL: nothing */
	size_t create, stop, remove,
		ready; /* operations; ready: after it the container can start */
};

struct slots {
	struct slot *items;
	size_t count;
	bool replaced; /* one of them is made anew */
	struct handovers handovers;
};

struct up {
	struct planning *planning;
	struct slots *services; /* as the graph's nodes */
	struct map replaced_ids;
	struct map changed_networks, network_ready, volume_ready; /* by name; to index + 1 */
	struct map images_awaited;                                /* the same */
	json_t *canonical; /* of the project; made when a cause has to be named */
};

static struct slots *slots_of(const struct up *up, const struct graph_node *node)
{
	return &up->services[node - up->planning->graph->nodes];
}

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

static const json_t *canonical_service(struct up *up, const struct graph_node *node)
{
	if (!up->canonical)
		up->canonical = project_to_json(up->planning->project, true);
	return json_object_get(json_object_get(up->canonical, "services"), node->name);
}

/* What differs, down to single values, with the image that the same name now means. */
static json_t *changes_of(struct up *up, const struct graph_node *node,
			  const struct fact_container *fact)
{
	const json_t *now = canonical_service(up, node);
	json_t *changes = fact->config && now ? service_changes(fact->config, now) : json_array();

	if (fact->image_id && node->image && node->image->id &&
	    !str_equal(fact->image_id, node->image->id))
		json_array_append_new(changes,
				      json_pack("{s:s, s:s, s:s}", "field", "image (id)", "old",
						fact->image_id, "new", node->image->id));
	return changes;
}

static char *difference_cause(struct up *up, const struct graph_node *node,
			      const struct fact_container *fact)
{
	_cleanup_free_ char *difference = NULL;
	const json_t *now = canonical_service(up, node);

	if (fact->config && now)
		difference = service_difference(fact->config, now);
	if (!difference || !*difference)
		return alloc_string("configuration changed");
	return str_printf("%s changed", difference);
}

/* @field cut down to "ports", and within deploy to "deploy.resources.limits". */
static void add_attribute(char ***names, const char *field, const json_t *value)
{
	size_t depth = str_starts_with(field, "deploy") ? 3 : 1, length = 0;
	const char *key;
	json_t *below;
	char *name;

	for (; depth && field[length]; depth--) {
		length += length > 0;
		length += strcspn(field + length, ".");
	}
	/* Of a block that was not there at all: what is in it. */
	if (depth && json_is_object(value)) {
		json_object_foreach((json_t *)value, key, below) {
			_cleanup_free_ char *inner = str_printf("%s.%s", field, key);

			add_attribute(names, inner, below);
		}
		return;
	}
	name = alloc_string_n(field, length);
	if (strv_contains(*names, name))
		free(name);
	else
		strv_take(names, name);
}

static char *update_cause(const json_t *changes)
{
	_cleanup_strv_ char **names = NULL;
	_cleanup_free_ char *list = NULL;
	json_t *change;
	size_t i;

	json_array_foreach(changes, i, change) {
		json_t *old = json_object_get(change, "old");

		add_attribute(&names, json_get_string(change, "field"),
			      json_is_null(old) ? json_object_get(change, "new") : old);
	}
	list = strv_join(names, ", ");
	return str_printf("%s changed", list && *list ? list : "configuration");
}

/* All that differs can be given to the container as it stands. */
static bool can_be_updated(const struct up *up, const struct graph_node *node,
			   const struct fact_container *fact)
{
	char hash[65];

	if (!fact->fixed_hash || !fact->config)
		return false;
	service_fixed_hash(up->planning->project, node->service, hash);
	return str_equal(fact->fixed_hash, hash);
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

static const char *changed_network(const struct up *up, const struct fact_container *fact)
{
	for (const char *const *name = fact->networks; name && *name; name++)
		if (map_get(&up->changed_networks, *name))
			return *name;
	return NULL;
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
	if (!str_equal(fact->config_hash, hash) && !can_be_updated(up, node, fact))
		return difference_cause(up, node, fact);
	if (node->image && node->image->id && fact->image_id &&
	    !str_equal(fact->image_id, node->image->id))
		return alloc_string("image changed");
	if (fact->stale_volumes)
		return alloc_string("the image of a volume changed");
	other = images_coming_for(up->planning->facts, node->service);
	if (other)
		return str_printf("image %s is being pulled", other);
	other = changed_network(up, fact);
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
		    (slots_of(up, needed)->replaced || was_replaced(needed, fact)))
			return needed;
	}
	return NULL;
}

/* A network that is made anew is in use until the old one is gone. */
static bool stands_beside(const struct up *up, const struct graph_node *node,
			  const struct fact_container *fact)
{
	return handover_wanted(up->planning, node) && fact->state == CONTAINER_RUNNING &&
	       !changed_network(up, fact) && !container_has_temporary_name(fact);
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
		_cleanup_json_ json_t *changes = changes_of(up, node, slot->fact);

		slot->update_cause = update_cause(changes);
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
	struct slots *slots = slots_of(up, node);
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
	struct slots *slots = slots_of(up, node);
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
	struct slots *slots = slots_of(up, node);
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
	const struct slots *slots = slots_of(up, node);

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

static int decide(struct up *up, struct error *err)
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

static bool name_is_among(const char *const *names, const char *name)
{
	for (; names && *names; names++)
		if (str_equal(*names, name))
			return true;
	return false;
}

static const struct fact_object *find_object(const struct fact_object *objects, size_t count,
					     const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(objects[i].name, name))
			return &objects[i];
	return NULL;
}

static int plan_network(struct up *up, const struct network *network, struct error *err)
{
	const struct facts *facts = up->planning->facts;
	const struct fact_object *there = NULL;
	size_t index = 0;
	char hash[65];

	if (map_get(&up->network_ready, network->name) ||
	    map_get(&up->changed_networks, network->name))
		return 0;
	if (network->external) {
		if (name_is_among(facts->external_networks, network->name))
			return 0;
		return error_set(
			err, ENOENT,
			"network %s declared as external, but could not be found; bring up "
			"the project that makes it first",
			network->name);
	}
	network_hash(network, hash);
	there = find_object(facts->networks, facts->network_count, network->name);
	if (there && !str_equal(there->config_hash, hash) &&
	    up->planning->options->recreate != RECREATE_NEVER)
		map_set(&up->changed_networks, network->name, (void *)network);
	if (there)
		return 0;
	index = operation_add(up->planning->plan, OP_CREATE_NETWORK, network->name,
			      "no network yet");
	up->planning->plan->operations[index].key = alloc_string(network->key);
	map_set(&up->network_ready, network->name, (void *)(index + 1));
	return 0;
}

static void warn_of_volume(struct up *up, const struct volume *volume,
			   const struct fact_object *there)
{
	_cleanup_json_ json_t *now = there->config ? volume_canonical(volume) : NULL;
	_cleanup_json_ json_t *changes = now ? object_changes(there->config, now) : NULL;
	_cleanup_strbuf_ struct strbuf fields = {0};
	json_t *change;
	size_t i;

	json_array_foreach(changes, i, change)
		strbuf_addf(&fields, "%s%s", i ? ", " : " (", json_get_string(change, "field"));
	plan_warn(up->planning->plan,
		  "volume %s was made with other options than the file has now%s%s; it is kept "
		  "as it is, for its data's sake: remove it to have it made anew",
		  volume->name, fields.length ? fields.data : "", fields.length ? ")" : "");
}

static int plan_volume(struct up *up, const struct volume *volume, struct error *err)
{
	const struct facts *facts = up->planning->facts;
	const struct fact_object *there = NULL;
	size_t index = 0;
	char hash[65];

	if (map_get(&up->volume_ready, volume->name))
		return 0;
	if (volume->external) {
		if (name_is_among(facts->external_volumes, volume->name))
			return 0;
		return error_set(err, ENOENT, "external volume \"%s\" not found", volume->name);
	}
	there = find_object(facts->volumes, facts->volume_count, volume->name);
	volume_hash(volume, hash);
	if (there && there->config_hash && !str_equal(there->config_hash, hash))
		warn_of_volume(up, volume, there);
	if (there) {
		map_set(&up->volume_ready, volume->name, (void *)(NO_OPERATION));
		return 0;
	}
	index = operation_add(up->planning->plan, OP_CREATE_VOLUME, volume->name, "no volume yet");
	up->planning->plan->operations[index].key = alloc_string(volume->key);
	map_set(&up->volume_ready, volume->name, (void *)(index + 1));
	return 0;
}

static int plan_objects_of(struct up *up, const struct service *service, struct error *err)
{
	const struct project *project = up->planning->project;
	int r = 0;

	for (size_t i = 0; i < service->network_count && r >= 0; i++) {
		const struct network *network = project_network(project, service->networks[i].name);

		if (network)
			r = plan_network(up, network, err);
	}
	for (size_t i = 0; i < service->volume_count && r >= 0; i++) {
		const struct mount *mount = &service->volumes[i];
		const struct volume *volume = NULL;

		if (mount->type != MOUNT_VOLUME || !mount->source)
			continue;
		volume = project_volume(project, mount->source);
		if (volume)
			r = plan_volume(up, volume, err);
	}
	return r;
}

static int plan_objects(struct up *up, struct error *err)
{
	const struct graph *graph = up->planning->graph;
	int r = 0;

	for (size_t i = 0; i < graph->count && r >= 0; i++) {
		const struct graph_node *node = &graph->nodes[graph->order[i]];

		if (node->selected && node->service)
			r = plan_objects_of(up, node->service, err);
	}
	return r;
}

static void after_objects(struct up *up, size_t operation, const struct service *service)
{
	const struct project *project = up->planning->project;
	struct plan *plan = up->planning->plan;

	for (size_t i = 0; i < service->network_count; i++) {
		const struct network *network = project_network(project, service->networks[i].name);

		if (network)
			operation_after(plan, operation,
					(size_t)map_get(&up->network_ready, network->name) - 1);
	}
	for (size_t i = 0; i < service->volume_count; i++) {
		const struct volume *volume = NULL;
		size_t ready = 0;

		if (service->volumes[i].type != MOUNT_VOLUME || !service->volumes[i].source)
			continue;
		volume = project_volume(project, service->volumes[i].source);
		ready = volume ? (size_t)map_get(&up->volume_ready, volume->name) : 0;
		if (ready && ready != NO_OPERATION)
			operation_after(plan, operation, ready - 1);
	}
}

/* It bears the name that the new one is to have until the old one is gone. */
static void after_half_made(struct up *up, const struct graph_node *node, const struct slot *slot)
{
	const struct slots *slots = slots_of(up, node);

	for (size_t i = 0; i < slots->count; i++) {
		const struct slot *other = &slots->items[i];

		if (other->fact && other->fact->number == slot->number && other != slot)
			operation_after(up->planning->plan, slot->create, other->remove);
	}
}

static void emit_create(struct up *up, const struct graph_node *node, struct slot *slot)
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
		operation->changes = changes_of(up, node, slot->fact);
		operation->new_name = str_printf("%.12s_%s", slot->fact->id, slot->name);
		operation->standby = slot->beside;
	}
	for (size_t i = 0; i < node->getting_count; i++)
		operation_after(plan, slot->create, node->getting[i]);
	after_objects(up, slot->create, node->service);
	images_after(up->planning, &up->images_awaited, slot->create, node->service);
	after_half_made(up, node, slot);
}

static void emit_stop(struct up *up, const struct graph_node *node, struct slot *slot)
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

static void emit_remove(struct up *up, struct slot *slot)
{
	struct plan *plan = up->planning->plan;

	slot->remove = operation_add_existing(plan, OP_REMOVE_CONTAINER, slot->fact, slot->cause);
	plan->operations[slot->remove].volumes = up->planning->options->renew_anon_volumes;
	plan->operations[slot->remove].recreate = slot->fate == FATE_RECREATE;
	operation_after(plan, slot->remove, slot->create);
	operation_after(plan, slot->remove, slot->stop);
}

static void emit_rename(struct up *up, const struct graph_node *node, struct slot *slot)
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
static void emit_late_rename(struct up *up, const struct graph_node *node, struct slot *slot)
{
	const struct slots *slots = slots_of(up, node);
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

static int emit_start(struct up *up, struct waits *waits, const struct graph_node *node,
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
	after_objects(up, start, node->service);
	for (size_t i = 0; i < after_count; i++)
		operation_after(plan, start, after[i]);
	waits_add_container(waits, node, slot->name, exists ? slot->fact->id : NULL, slot->number,
			    start, slot->fact);
	return 0;
}

/* What depends on it goes by its name, so by the time that it has it. */
static int emit_handover(struct up *up, struct waits *waits, const struct graph_node *node,
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
	handover_plan(up->planning, &slots_of(up, node)->handovers, &handover);
	after_objects(up, handover.start, node->service);
	waits_add_container(waits, node, slot->name, NULL, slot->number, handover.ready,
			    slot->fact);
	return 0;
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
		/* A job's schedule starts it. */
		if (node->service && node->service->berth.schedule.calendar && !slot->oneoff)
			return 0;
		return slot->beside ? emit_handover(up, waits, node, slot, err)
				    : emit_start(up, waits, node, slot, err);
	}
	waits_add_container(waits, node, slot->name, slot->fact->id, slot->number, operation,
			    slot->fact);
	return 0;
}

/* Walks the slots of all selected services; backwards: those that need others come first. */
#define up_foreach_slot(up, node, slot, backwards)                                                 \
	for (size_t i_ = 0; i_ < (up)->planning->graph->count; i_++)                               \
		for (const struct graph_node *node = slot_node(up, i_, backwards); node;           \
		     node = NULL)                                                                  \
			for (struct slot *slot = slots_of(up, node)->items;                        \
			     slot && slot < slots_of(up, node)->items + slots_of(up, node)->count; \
			     slot++)

static const struct graph_node *slot_node(const struct up *up, size_t i, bool backwards)
{
	const struct graph *graph = up->planning->graph;

	return &graph->nodes[graph->order[backwards ? graph->count - 1 - i : i]];
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

static json_t *network_changes(const struct up *up, const struct network *network)
{
	const struct facts *facts = up->planning->facts;
	const struct fact_object *there =
		find_object(facts->networks, facts->network_count, network->name);
	_cleanup_json_ json_t *now = there && there->config ? network_canonical(network) : NULL;

	return now ? object_changes(there->config, now) : NULL;
}

static void emit_changed_networks(struct up *up)
{
	struct plan *plan = up->planning->plan;

	map_foreach(entry, &up->changed_networks) {
		const struct network *network = entry->value;
		size_t gone = 0, made = 0;

		gone = operation_add(plan, OP_REMOVE_NETWORK, network->name, "its options changed");
		plan->operations[gone].changes = network_changes(up, network);
		up_foreach_slot(up, node, slot, false)
			if (slot->fact && name_is_among(slot->fact->networks, network->name) &&
			    slot->fate == FATE_RECREATE)
				operation_after(plan, gone, slot->remove);
		made = operation_add(plan, OP_CREATE_NETWORK, network->name, "its options changed");
		plan->operations[gone].key = alloc_string(network->key);
		plan->operations[made].key = alloc_string(network->key);
		operation_after(plan, made, gone);
		map_set(&up->network_ready, network->name, (void *)(made + 1));
	}
}

static void emit_stops_and_removals(struct up *up)
{
	up_foreach_slot(up, half, slot, false)
		if (slot->fact && container_is_half_made(half, slot->fact))
			emit_remove(up, slot);
	up_foreach_slot(up, node, slot, false)
		if (slot->fate == FATE_CREATE || slot->fate == FATE_RECREATE)
			emit_create(up, node, slot);
	up_foreach_slot(up, stopping, slot, true)
		if (slot->fate == FATE_RECREATE || slot->fate == FATE_RESTART ||
		    slot->fate == FATE_REMOVE)
			emit_stop(up, stopping, slot);
	up_foreach_slot(up, removing, slot, true)
		if ((slot->fate == FATE_RECREATE || slot->fate == FATE_REMOVE) && !slot->beside &&
		    slot->remove == NO_OPERATION)
			emit_remove(up, slot);
	emit_changed_networks(up);
	up_foreach_slot(up, renaming, slot, false) {
		if (slot->beside)
			continue;
		if (slot->fate == FATE_RECREATE)
			emit_rename(up, renaming, slot);
		else if (slot->fact && slot->fate != FATE_REMOVE &&
			 container_has_temporary_name(slot->fact))
			emit_late_rename(up, renaming, slot);
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
		plan->operations[update].changes = changes_of(up, node, slot->fact);
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
	r = plan_objects(up, err);
	if (r < 0)
		return r;
	r = decide(up, err);
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
