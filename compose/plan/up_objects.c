// SPDX-License-Identifier: GPL-2.0-or-later

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "compose/plan/up.h"

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

int up_objects_plan(struct up *up, struct error *err)
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

void up_objects_before(struct up *up, size_t operation, const struct service *service)
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

const char *up_changed_network(const struct up *up, const struct fact_container *fact)
{
	for (const char *const *name = fact->networks; name && *name; name++)
		if (map_get(&up->changed_networks, *name))
			return *name;
	return NULL;
}

static json_t *network_changes(const struct up *up, const struct network *network)
{
	const struct facts *facts = up->planning->facts;
	const struct fact_object *there =
		find_object(facts->networks, facts->network_count, network->name);
	_cleanup_json_ json_t *now = there && there->config ? network_canonical(network) : NULL;

	return now ? object_changes(there->config, now) : NULL;
}

void up_objects_replace_networks(struct up *up)
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
