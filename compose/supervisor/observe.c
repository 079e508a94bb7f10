// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/observe.h"

#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/probes/health.h"

#define LABEL "com.docker.compose."

struct observed {
	struct facts facts;
	struct fact_container *containers;
	struct fact_object *networks, *volumes;
	struct fact_image *images;
	char **external_networks, **external_volumes;
	char **strings;   /* keys, names and hashes of objects */
	json_t **configs; /* canonical projects that containers were made from */
	size_t config_count;
};

static const struct image *find(struct supervisor *supervisor, const char *name,
				const char *platform, const char *key, struct error *err)
{
	struct image *image = map_get(&supervisor->image_cache, key);

	if (image)
		return image;
	if (image_find_platform(supervisor->images, name, platform, &image, err) < 0)
		return NULL;
	map_set(&supervisor->image_cache, key, image);
	return image;
}

const struct image *observe_image(struct supervisor *supervisor, const char *name,
				  struct error *err)
{
	if (!name) {
		error_set(err, ENOENT, "the service has no image");
		return NULL;
	}
	return find(supervisor, name, NULL, name, err);
}

const struct image *observe_service_image(struct supervisor *supervisor,
					  const struct service *service, struct error *err)
{
	_cleanup_free_ char *key = NULL;

	if (!service->image || !service->platform || !*service->platform)
		return observe_image(supervisor, service->image, err);
	key = str_printf("%s %s", service->image, service->platform);
	return find(supervisor, service->image, service->platform, key, err);
}

static void free_image(void *image)
{
	image_free(image);
}

void observe_forget_images(struct supervisor *supervisor)
{
	map_done(&supervisor->image_cache, free_image);
}

static const char *keep(struct observed *observed, const char *s)
{
	char *copy = alloc_string(s ?: "");

	strv_take(&observed->strings, copy);
	return copy;
}

/* What a container was made from, where that is no longer what the project says. */
static const json_t *config_of(struct observed *observed, const struct instance *instance)
{
	json_t *project = project_to_json(instance->model->project, true);

	*array_add(observed->configs, observed->config_count) = project;
	return json_object_get(json_object_get(project, "services"), instance->service_name);
}

/* As far as the names still mean something: what is not here cannot be used instead. */
static bool has_stale_volumes(const struct instance *instance)
{
	const struct service *service = instance->service;

	for (size_t i = 0; i < service->volume_count; i++) {
		const struct mount *mount = &service->volumes[i];
		const char *made_with = mapping_get(&instance->image_volumes, mount->target);
		struct error ignored = ERROR_INIT;
		const struct image *now;

		if (mount->type != MOUNT_IMAGE || !made_with)
			continue;
		now = observe_image(instance->supervisor, mount->source, &ignored);
		if (now && strcmp(now->id, made_with) != 0)
			return true;
	}
	return false;
}

static void observe_container(struct observed *observed, const struct instance *instance,
			      const char *request_id, const struct map *hashes)
{
	struct fact_container *fact = &observed->containers[observed->facts.container_count++];
	const char *now = map_get(hashes, instance->service_name);
	char hash[65];

	*fact = (struct fact_container){
		.id = instance->id,
		.name = instance->name,
		.service = instance->service_name,
		.number = instance->number,
		.oneoff = instance->oneoff,
		.state = instance_reported_state(instance),
		.health = instance_health(instance),
		.exit_code = instance->exit_code,
		.standby = instance->standby,
		.config_hash = instance->config_hash,
		.image_id = instance->image_id,
		.networks = (const char *const *)instance->network_names,
		.volumes = (const char *const *)instance->volumes,
		.parents = (const char *const *)instance->parents,
		.created_nsec = instance->created_nsec,
		.started_nsec = instance->started_nsec,
		.made_for_this = request_id[0] && strcmp(instance->created_by, request_id) == 0,
	};
	fact->stale_volumes = has_stale_volumes(instance);
	if (!now || strcmp(now, instance->config_hash) == 0)
		return;
	fact->config = config_of(observed, instance);
	service_fixed_hash(instance->model->project, instance->service, hash);
	fact->fixed_hash = keep(observed, hash);
}

bool observe_is_ours(const struct supervisor *supervisor, const json_t *labels)
{
	return str_equal(json_get_string(labels, LABEL "project"), supervisor->project);
}

static struct fact_object make_object(struct observed *observed, const char *kind, const char *name,
				      const json_t *labels)
{
	_cleanup_free_ char *label = str_printf(LABEL "%s", kind);

	return (struct fact_object){
		.key = keep(observed, json_get_string(labels, label)),
		.name = keep(observed, name),
		.config_hash = keep(observed, json_get_string(labels, LABEL "config-hash")),
	};
}

static int observe_networks(struct supervisor *supervisor, struct observed *observed,
			    struct error *err)
{
	struct network_info **list = NULL;
	size_t count = 0;

	if (network_list(supervisor->networks, &list, &count, err) < 0)
		return -err->code;
	observed->networks = new_array(struct fact_object, count + 1);
	for (size_t i = 0; i < count; i++) {
		strv_append(&observed->external_networks, list[i]->name);
		if (observe_is_ours(supervisor, list[i]->labels))
			observed->networks[observed->facts.network_count++] =
				make_object(observed, "network", list[i]->name, list[i]->labels);
		network_info_free(list[i]);
	}
	free(list);
	return 0;
}

static int observe_volumes(struct supervisor *supervisor, struct observed *observed,
			   struct error *err)
{
	struct volume_info **list = NULL;
	size_t count = 0;

	if (volume_list(supervisor->volumes, &list, &count, err) < 0)
		return -err->code;
	observed->volumes = new_array(struct fact_object, count + 1);
	for (size_t i = 0; i < count; i++) {
		strv_append(&observed->external_volumes, list[i]->name);
		/* Anonymous ones belong to their container, not to the project. */
		if (observe_is_ours(supervisor, list[i]->labels) && !list[i]->anonymous)
			observed->volumes[observed->facts.volume_count++] =
				make_object(observed, "volume", list[i]->name, list[i]->labels);
		volume_info_free(list[i]);
	}
	free(list);
	return 0;
}

static void observe_images(struct supervisor *supervisor, struct observed *observed,
			   const struct project *project)
{
	observed->images = new_array(struct fact_image, project->service_count + 1);
	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];
		struct fact_image *fact = &observed->images[observed->facts.image_count++];
		struct error err = ERROR_INIT;
		const struct image *image = observe_service_image(supervisor, service, &err);
		struct health_plan plan = {0};

		fact->service = service->name;
		if (!image)
			continue;
		fact->id = image->id;
		health_plan_of(service, image, &plan);
		fact->has_healthcheck = health_plan_probes(&plan);
		health_plan_done(&plan);
	}
}

/* Only the services that have containers: a hash is a walk over the whole service. */
static void hash_services(struct supervisor *supervisor, const struct model *model,
			  struct map *hashes)
{
	map_foreach(entry, &supervisor->instances) {
		const struct instance *instance = entry->value;
		struct service *service =
			model ? project_service(model->project, instance->service_name) : NULL;
		char *hash;

		if (!service || map_get(hashes, instance->service_name))
			continue;
		hash = alloc_zero(1, 65);
		service_hash(model->project, service, hash);
		map_set(hashes, instance->service_name, hash);
	}
}

/* What a network or volume was made from: some container still has the project that said it. */
static json_t *made_from(const struct supervisor *supervisor, const struct fact_object *fact,
			 bool is_network)
{
	const struct model *seen = NULL;

	map_foreach(entry, &supervisor->instances) {
		const struct model *model = ((const struct instance *)entry->value)->model;
		const struct network *network;
		const struct volume *volume;
		char hash[65] = "";

		if (!model || model == seen)
			continue;
		seen = model;
		network = is_network ? project_network(model->project, fact->key) : NULL;
		volume = is_network ? NULL : project_volume(model->project, fact->key);
		if (network)
			network_hash(network, hash);
		else if (volume)
			volume_hash(volume, hash);
		if (str_equal(hash, fact->config_hash))
			return network ? network_canonical(network) : volume_canonical(volume);
	}
	return NULL;
}

/* Only of those that differ: it is for telling what does. */
static void observe_origins(const struct supervisor *supervisor, struct observed *observed,
			    const struct project *project)
{
	char hash[65];

	for (size_t i = 0; i < observed->facts.network_count; i++) {
		struct fact_object *fact = &observed->networks[i];
		const struct network *network =
			fact->key ? project_network(project, fact->key) : NULL;

		if (!network || !fact->config_hash)
			continue;
		network_hash(network, hash);
		if (!str_equal(hash, fact->config_hash))
			fact->config = made_from(supervisor, fact, true);
	}
	for (size_t i = 0; i < observed->facts.volume_count; i++) {
		struct fact_object *fact = &observed->volumes[i];
		const struct volume *volume = fact->key ? project_volume(project, fact->key) : NULL;

		if (!volume || !fact->config_hash)
			continue;
		volume_hash(volume, hash);
		if (!str_equal(hash, fact->config_hash))
			fact->config = made_from(supervisor, fact, false);
	}
}

int observe_facts(struct supervisor *supervisor, const struct model *model, const char *request_id,
		  struct observed **ret, struct error *err)
{
	struct observed *observed = new (struct observed);
	struct map hashes = {0};

	observe_forget_images(supervisor);
	if (observe_networks(supervisor, observed, err) < 0 ||
	    observe_volumes(supervisor, observed, err) < 0) {
		observed_free(observed);
		return -err->code;
	}
	if (model) {
		observe_images(supervisor, observed, model->project);
		observe_origins(supervisor, observed, model->project);
	}
	hash_services(supervisor, model, &hashes);
	observed->containers = new_array(struct fact_container, supervisor->instances.count + 1);
	map_foreach(entry, &supervisor->instances)
		observe_container(observed, entry->value, request_id, &hashes);
	map_done(&hashes, free);
	observed->facts.containers = observed->containers;
	observed->facts.networks = observed->networks;
	observed->facts.volumes = observed->volumes;
	observed->facts.images = observed->images;
	observed->facts.external_networks = (const char *const *)observed->external_networks;
	observed->facts.external_volumes = (const char *const *)observed->external_volumes;
	*ret = observed;
	return 0;
}

const struct facts *observed_facts(const struct observed *observed)
{
	return &observed->facts;
}

void observed_free(struct observed *observed)
{
	if (!observed)
		return;
	for (size_t i = 0; i < observed->config_count; i++)
		json_decref(observed->configs[i]);
	free(observed->configs);
	for (size_t i = 0; i < observed->facts.network_count; i++)
		json_decref(observed->networks[i].config);
	for (size_t i = 0; i < observed->facts.volume_count; i++)
		json_decref(observed->volumes[i].config);
	free(observed->containers);
	free(observed->networks);
	free(observed->volumes);
	free(observed->images);
	strv_free(observed->external_networks);
	strv_free(observed->external_volumes);
	strv_free(observed->strings);
	free(observed);
}
