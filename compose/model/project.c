// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/model/project.h"

#include <errno.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/model/shapes.h"
#include "compose/tree/json_node.h"

struct project *project_new(void)
{
	return new (struct project);
}

void project_free(struct project *project)
{
	if (!project)
		return;
	release_object(&project_schema, project);
	free(project->working_dir);
	strv_free(project->config_files);
	strv_free(project->env_files);
	strv_free(project->proxies);
	strv_free(project->disabled_services);
	free(project);
}

struct service *project_service(const struct project *project, const char *name)
{
	return objects_find(project->services, project->service_count, sizeof(struct service),
			    offsetof(struct service, name), name);
}

static void select_service(const struct project *project, const char *name, bool no_deps,
			   struct map *selected)
{
	struct service *service = project_service(project, name);

	if (!service || map_get(selected, name))
		return;
	map_set(selected, name, service);
	for (size_t i = 0; !no_deps && i < service->dependency_count; i++)
		select_service(project, service->depends_on[i].service, false, selected);
}

void project_select(const struct project *project, char *const *names, bool no_deps,
		    struct map *selected)
{
	if (names && names[0]) {
		strv_foreach(name, names)
			select_service(project, name, no_deps, selected);
		return;
	}
	for (size_t i = 0; i < project->service_count; i++)
		map_set(selected, project->services[i].name, &project->services[i]);
}

int project_no_such_service(const struct project *project, const char *name, struct error *err)
{
	_cleanup_free_ const char **names = new_array(const char *, project->service_count + 1);
	const char *meant;

	for (size_t i = 0; i < project->service_count; i++)
		names[i] = project->services[i].name;
	meant = str_suggest(name, names, project->service_count);
	return meant ? error_set(err, ENOENT, "no such service: %s (did you mean \"%s\"?)", name,
				 meant)
		     : error_set(err, ENOENT, "no such service: %s", name);
}

struct network *project_network(const struct project *project, const char *key)
{
	return objects_find(project->networks, project->network_count, sizeof(struct network),
			    offsetof(struct network, key), key);
}

struct volume *project_volume(const struct project *project, const char *key)
{
	return objects_find(project->volumes, project->volume_count, sizeof(struct volume),
			    offsetof(struct volume, key), key);
}

struct file_object *project_secret(const struct project *project, const char *key)
{
	return objects_find(project->secrets, project->secret_count, sizeof(struct file_object),
			    offsetof(struct file_object, key), key);
}

struct file_object *project_config(const struct project *project, const char *key)
{
	return objects_find(project->configs, project->config_count, sizeof(struct file_object),
			    offsetof(struct file_object, key), key);
}

struct ai_model *project_model(const struct project *project, const char *key)
{
	return objects_find(project->models, project->model_count, sizeof(struct ai_model),
			    offsetof(struct ai_model, key), key);
}

unsigned int service_replicas(const struct service *service)
{
	if (service->provider.given)
		return 0;
	if (service->scale.set)
		return (unsigned int)service->scale.value;
	if (service->deploy.replicas.set)
		return (unsigned int)service->deploy.replicas.value;
	return 1;
}

/* What the client read out of its environment is for the supervisor, not for `config`. */
static void hide_contents(json_t *objects)
{
	const char *key;
	json_t *object;

	json_object_foreach(objects, key, object)
		if (json_object_get(object, "environment"))
			json_object_del(object, "content");
}

json_t *project_to_json(const struct project *project, bool internal)
{
	json_t *json = encode_object(&project_schema, project), *more;

	if (!internal) {
		hide_contents(json_object_get(json, "secrets"));
		hide_contents(json_object_get(json, "configs"));
		return json;
	}
	more = json_object();
	json_put_string(more, "working_dir", project->working_dir);
	json_object_set_new(more, "config_files", json_from_strv(project->config_files));
	json_object_set_new(more, "env_files", json_from_strv(project->env_files));
	if (project->disabled_services)
		json_object_set_new(more, "disabled_services",
				    json_from_strv(project->disabled_services));
	if (project->proxies)
		json_object_set_new(more, "proxies", json_from_strv(project->proxies));
	json_object_set_new(json, PROJECT_INTERNAL_KEY, more);
	return json;
}

static int check_names(const struct project *project, struct error *err)
{
	if (!project->name || !*project->name)
		return error_set(err, EINVAL, "project: has no name");
	for (size_t i = 0; i < project->network_count; i++)
		if (!project->networks[i].name)
			return error_set(err, EINVAL, "networks.%s: has no name",
					 project->networks[i].key);
	for (size_t i = 0; i < project->volume_count; i++)
		if (!project->volumes[i].name)
			return error_set(err, EINVAL, "volumes.%s: has no name",
					 project->volumes[i].key);
	return 0;
}

static int decode_canonical(struct node *root, struct project *project, struct error *err)
{
	struct report report = {0};
	struct decoder decoder = {.report = &report};
	int r;

	decode_object(&decoder, root, &project_schema, project);
	r = report_result(&report, err);
	report_done(&report);
	if (r < 0)
		return r;
	return check_names(project, err);
}

int project_from_json(const json_t *json, struct project **ret, struct error *err)
{
	_cleanup_node_ struct node *root = json_to_node(json);
	const json_t *more = json_object_get(json, PROJECT_INTERNAL_KEY);
	struct project *project;
	int r;

	if (!root || root->kind != NODE_MAPPING)
		return error_set(err, EINVAL, "project: is not a JSON object, or too deep");
	node_remove(root, PROJECT_INTERNAL_KEY);
	project = project_new();
	r = decode_canonical(root, project, err);
	if (r < 0) {
		project_free(project);
		return r;
	}
	project->working_dir = alloc_string(json_get_string(more, "working_dir"));
	project->config_files = json_get_strv(more, "config_files");
	project->env_files = json_get_strv(more, "env_files");
	project->disabled_services = json_get_strv(more, "disabled_services");
	project->proxies = json_get_strv(more, "proxies");
	*ret = project;
	return 0;
}
