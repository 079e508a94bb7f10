// SPDX-License-Identifier: GPL-2.0-or-later
/* check.c - what is right in each place and wrong as a whole. Messages are docker compose's. */
#include "compose/load/check.h"

#include <string.h>

#include "common/alloc.h"
#include "common/path.h"

#include "compose/model/shapes.h"

/* Its decoding failed: it may be half of what it is to be. */
static bool is_broken(const struct loader *l, const char *kinds, const char *key)
{
	char path[300];

	if (!l->broken.count)
		return false;
	(void)snprintf(path, sizeof(path), "%s.%s", kinds, key);
	return map_get(&l->broken, path);
}

static const struct position *at_service(const struct loader *l, const struct service *service,
					 const char *attribute)
{
	return loader_at(l, "services", service->name, attribute, NULL);
}

static void check_image(struct loader *l, const struct service *service)
{
	if ((service->image && *service->image) || service->build.given || service->provider.given)
		return;
	loader_problem(l, at_service(l, service, NULL),
		       "service \"%s\" has neither an image nor a build context specified",
		       service->name);
}

static void check_build(struct loader *l, const struct service *service)
{
	const struct build *build = &service->build;

	if (build->platforms && service->platform &&
	    !strv_contains(build->platforms, service->platform))
		loader_problem(l,
			       loader_at(l, "services", service->name, "build", "platforms", NULL),
			       "service.build.platforms MUST include service.platform \"%s\"",
			       service->platform);
	for (size_t i = 0; i < build->secret_count; i++)
		if (!project_secret(l->project, build->secrets[i].source))
			loader_problem(
				l,
				loader_at(l, "services", service->name, "build", "secrets", NULL),
				"service \"%s\" refers to undefined build secret %s", service->name,
				build->secrets[i].source);
	for (size_t i = 0; i < build->additional_contexts.count; i++) {
		const char *context = build->additional_contexts.items[i].value;

		if (context && str_starts_with(context, "service:") &&
		    !project_service(l->project, context + strlen("service:")))
			loader_problem(
				l,
				loader_at(l, "services", service->name, "build",
					  "additional_contexts", NULL),
				"service \"%s\" declares unknown service \"%s\" as additional "
				"context %s",
				service->name, context + strlen("service:"),
				build->additional_contexts.items[i].key);
	}
}

/* `networks:` is no mapping: what it was to define is not known. */
static bool is_unknown(const struct loader *l, const char *kind)
{
	char kinds[16];
	const struct node *section;

	(void)snprintf(kinds, sizeof(kinds), "%ss", kind);
	section = node_get(l->root, kinds);
	return section && section->kind != NODE_MAPPING;
}

static void undefined(struct loader *l, const struct service *service, const char *attribute,
		      const char *kind, const char *name, const char *const *known, size_t count)
{
	const char *meant;

	if (is_unknown(l, kind))
		return;
	meant = l->report.kept < REPORT_MAX ? str_suggest(name, known, count) : NULL;

	report_add(&l->report, loader_at(l, "services", service->name, attribute, name, NULL),
		   "service \"%s\" refers to undefined %s %s: invalid compose project%s%s%s",
		   service->name, kind, name, meant ? "; did you mean '" : "", meant ? meant : "",
		   meant ? "'?" : "");
}

static void check_networks(struct loader *l, const struct service *service)
{
	const struct project *p = l->project;

	if (service->network_mode && service->network_count) {
		loader_problem(l, at_service(l, service, "network_mode"),
			       "service \"%s\" declares mutually exclusive `network_mode` and "
			       "`networks`",
			       service->name);
		return;
	}
	for (size_t i = 0; i < service->network_count; i++) {
		_cleanup_free_ const char **known = NULL;

		if (project_network(p, service->networks[i].name))
			continue;
		known = new_array(const char *, p->network_count + 1);
		for (size_t n = 0; n < p->network_count; n++)
			known[n] = p->networks[n].key;
		undefined(l, service, "networks", "network", service->networks[i].name, known,
			  p->network_count);
	}
}

static void check_models(struct loader *l, const struct service *service)
{
	const struct project *p = l->project;

	for (size_t i = 0; i < service->model_count; i++) {
		_cleanup_free_ const char **known = NULL;

		if (project_model(p, service->models[i].name))
			continue;
		known = new_array(const char *, p->model_count + 1);
		for (size_t n = 0; n < p->model_count; n++)
			known[n] = p->models[n].key;
		undefined(l, service, "models", "model", service->models[i].name, known,
			  p->model_count);
	}
}

static void check_mounts(struct loader *l, const struct service *service)
{
	const struct project *p = l->project;

	for (size_t i = 0; i < service->volume_count; i++) {
		const struct mount *mount = &service->volumes[i];
		_cleanup_free_ const char **known = NULL;

		if (mount->type != MOUNT_VOLUME || !mount->source ||
		    project_volume(p, mount->source))
			continue;
		known = new_array(const char *, p->volume_count + 1);
		for (size_t n = 0; n < p->volume_count; n++)
			known[n] = p->volumes[n].key;
		undefined(l, service, "volumes", "volume", mount->source, known, p->volume_count);
	}
}

/* Two mounts of the same place: volumes are unique already, tmpfs stands beside them. */
static void check_targets(struct loader *l, const struct service *service)
{
	struct map targets = {0};
	size_t i = 0;

	for (size_t n = 0; service->tmpfs && n < service->volume_count; n++)
		map_set(&targets, service->volumes[n].target, (void *)(uintptr_t)(n + 1));
	strv_foreach(tmpfs, service->tmpfs) {
		_cleanup_free_ char *given = alloc_string_n(tmpfs, strcspn(tmpfs, ":"));
		_cleanup_free_ char *target = path_clean(given);
		size_t other = (size_t)(uintptr_t)map_get(&targets, target);

		if (other)
			loader_problem(l, at_service(l, service, "tmpfs"),
				       "services.%s.tmpfs[%zu]: target %s already mounted as "
				       "services.%s.volumes[%zu]",
				       service->name, i, target, service->name, other - 1);
		i++;
	}
	map_done(&targets, NULL);
}

static void undefined_file(struct loader *l, const struct service *service, const char *attribute,
			   const char *kind, const char *name, const struct file_object *objects,
			   size_t count)
{
	_cleanup_free_ const char **known = new_array(const char *, count + 1);

	for (size_t i = 0; i < count; i++)
		known[i] = objects[i].key;
	undefined(l, service, attribute, kind, name, known, count);
}

static void check_references(struct loader *l, const struct service *service)
{
	const struct project *p = l->project;

	for (size_t i = 0; i < service->secret_count; i++)
		if (!project_secret(p, service->secrets[i].source))
			undefined_file(l, service, "secrets", "secret", service->secrets[i].source,
				       p->secrets, p->secret_count);
	for (size_t i = 0; i < service->config_count; i++)
		if (!project_config(p, service->configs[i].source))
			undefined_file(l, service, "configs", "config", service->configs[i].source,
				       p->configs, p->config_count);
}

/* Where the file says that @service needs @other: by name, by a link, by what it shares. */
static const struct position *at_dependency(const struct loader *l, const struct service *service,
					    const char *other)
{
	const struct {
		const char *attribute, *value;
	} shared[] = {
		{"network_mode", service->network_mode},
		{"ipc", service->ipc},
		{"pid", service->pid},
		{"uts", service->uts},
		{"cgroup", service->cgroup},
	};
	static const char *const lists[] = {"depends_on", "links", "volumes_from"};
	const struct position *whole = loader_at(l, "services", service->name, NULL);

	array_foreach(list, lists) {
		const struct position *at =
			loader_at(l, "services", service->name, *list, other, NULL);

		if (at != whole && at != loader_at(l, "services", service->name, *list, NULL))
			return at;
	}
	array_foreach(row, shared)
		if (row->value && str_starts_with(row->value, "service:") &&
		    !strcmp(row->value + strlen("service:"), other))
			return loader_at(l, "services", service->name, row->attribute, NULL);
	return whole;
}

static void undefined_service(struct loader *l, const struct service *service, const char *name)
{
	const struct project *p = l->project;
	_cleanup_free_ const char **known = new_array(const char *, p->service_count + 1);
	const char *meant = NULL;
	size_t n = 0;

	for (size_t i = 0; i < p->service_count && l->report.kept < REPORT_MAX; i++)
		if (&p->services[i] != service)
			known[n++] = p->services[i].name;
	meant = str_suggest(name, known, n);
	report_add(&l->report, at_dependency(l, service, name),
		   "service \"%s\" depends on undefined service \"%s\": invalid compose "
		   "project%s%s%s",
		   service->name, name, meant ? "; did you mean '" : "", meant ? meant : "",
		   meant ? "'?" : "");
}

static void check_dependencies(struct loader *l, const struct service *service)
{
	for (size_t i = 0; i < service->dependency_count; i++) {
		const struct dependency *dependency = &service->depends_on[i];

		if (!project_service(l->project, dependency->service) && dependency->required)
			undefined_service(l, service, dependency->service);
	}
}

static void check_scale(struct loader *l, const struct service *service)
{
	const struct deploy *deploy = &service->deploy;

	if (service->scale.set && deploy->replicas.set &&
	    service->scale.value != deploy->replicas.value)
		loader_problem(l, at_service(l, service, "scale"),
			       "services.%s: can't set distinct values on 'scale' and "
			       "'deploy.replicas'",
			       service->name);
	if (service->container_name && service_replicas(service) > 1)
		loader_problem(l, at_service(l, service, "container_name"),
			       "services.%s: can't set container_name and scale as container name "
			       "must be unique",
			       service->name);
}

static void check_limits(struct loader *l, const struct service *service)
{
	const struct deploy_resources *limits = &service->deploy.limits;
	const struct deploy_resources *reservations = &service->deploy.reservations;
	const struct {
		const char *name, *in_deploy;
		bool distinct;
	} rows[] = {
		{"cpus", "limits.cpus",
		 service->cpus.set && limits->cpus.set &&
			 service->cpus.value != limits->cpus.value},
		{"mem_limit", "limits.memory",
		 service->mem_limit.set && limits->memory.set &&
			 service->mem_limit.value != limits->memory.value},
		{"mem_reservation", "reservations.memory",
		 service->mem_reservation.set && reservations->memory.set &&
			 service->mem_reservation.value != reservations->memory.value},
		{"pids_limit", "limits.pids",
		 service->pids_limit.set && limits->pids.set &&
			 service->pids_limit.value != limits->pids.value},
	};

	array_foreach(row, rows)
		if (row->distinct)
			loader_problem(l, at_service(l, service, row->name),
				       "services.%s: can't set distinct values on '%s' and "
				       "'deploy.resources.%s'",
				       service->name, row->name, row->in_deploy);
}

static void check_container_names(struct loader *l)
{
	const struct project *p = l->project;
	struct map names = {0};

	for (size_t i = 0; i < p->service_count; i++) {
		struct service *service = &p->services[i], *other;

		if (!service->container_name)
			continue;
		other = map_set(&names, service->container_name, service);
		if (other)
			loader_problem(l, at_service(l, service, "container_name"),
				       "services.%s: container name \"%s\" is already in use by "
				       "service %s",
				       service->name, service->container_name, other->name);
	}
	map_done(&names, NULL);
}

/* Walks dependencies depth first; @path is the way from the first one. */
struct cycle_search {
	struct loader *l;
	unsigned char *state; /* 0: not seen, 1: on the way, 2: done */
	size_t *path, depth;
};

static void report_cycle(const struct cycle_search *search, size_t to)
{
	const struct project *p = search->l->project;
	const struct service *last = &p->services[search->path[search->depth - 1]];
	_cleanup_strbuf_ struct strbuf text = {0};
	size_t i = search->depth;

	while (i && search->path[i - 1] != to)
		i--;
	for (i = i ? i - 1 : 0; i < search->depth; i++)
		strbuf_addf(&text, "%s -> ", p->services[search->path[i]].name);
	strbuf_add(&text, p->services[to].name);
	report_add(&search->l->report, at_dependency(search->l, last, p->services[to].name),
		   "dependency cycle detected: %s", text.data);
}

/* With a stack of its own: a chain may be as long as the file. */
static bool find_cycle_from(struct cycle_search *search, size_t start, size_t *next)
{
	const struct project *p = search->l->project;

	search->depth = 0;
	search->path[search->depth++] = start;
	search->state[start] = 1;
	while (search->depth) {
		size_t at = search->path[search->depth - 1];
		const struct service *service = &p->services[at], *other;
		size_t number;

		if (next[at] >= service->dependency_count) {
			search->state[at] = 2;
			search->depth--;
			continue;
		}
		other = project_service(p, service->depends_on[next[at]++].service);
		number = other ? (size_t)(other - p->services) : 0;
		if (!other || search->state[number] == 2)
			continue;
		if (search->state[number] == 1) {
			report_cycle(search, number);
			return true;
		}
		search->state[number] = 1;
		search->path[search->depth++] = number;
	}
	return false;
}

static void check_cycles(struct loader *l)
{
	size_t count = l->project->service_count;
	_cleanup_free_ unsigned char *state = new_array(unsigned char, count + 1);
	_cleanup_free_ size_t *path = new_array(size_t, count + 1);
	_cleanup_free_ size_t *next = new_array(size_t, count + 1);
	struct cycle_search search = {.l = l, .state = state, .path = path};

	for (size_t i = 0; i < count; i++)
		if (!state[i] && find_cycle_from(&search, i, next))
			return;
}

static void check_model(struct loader *l, const struct ai_model *model)
{
	if (!model->model || !*model->model)
		loader_problem(l, loader_at(l, "models", model->key, NULL),
			       "models.%s: model is required", model->key);
}

/* Drivers are for secrets: a config has only a template_driver. */
static void check_config_keys(struct loader *l, const char *key)
{
	static const char *const names[] = {"driver", "driver_opts"};

	array_foreach(name, names)
		if (node_get(node_get(node_get(l->root, "configs"), key), *name))
			report_add(&l->report, loader_at(l, "configs", key, *name, NULL),
				   "configs.%s additional properties '%s' not allowed", key, *name);
}

static void check_file_object(struct loader *l, const char *kind, const char *kinds,
			      const struct file_object *object)
{
	bool secret = !strcmp(kind, "secret");
	const struct node *node = node_get(node_get(l->root, kinds), object->key);
	int sources = !!object->file + !!object->environment + !!node_get(node, "content");
	const struct position *at = loader_at(l, kinds, object->key, NULL);

	if (!secret)
		check_config_keys(l, object->key);
	if (object->external) {
		if (sources)
			loader_problem(l, at,
				       "%ss.%s: conflicting parameters \"external\" and \"%s\" "
				       "specified",
				       kind, object->key,
				       object->file          ? "file"
				       : object->environment ? "environment"
							     : "content");
	} else if (secret && node_get(node, "content")) {
		report_add(&l->report, loader_at(l, kinds, object->key, "content", NULL),
			   "secrets.%s additional properties 'content' not allowed", object->key);
	} else if (!sources && !object->driver) {
		loader_problem(l, at, "%s \"%s\" must declare either `file` or `environment`%s",
			       kind, object->key, secret ? "" : " or `content`");
	} else if (sources > 1) {
		loader_problem(l, at, "%s \"%s\": file, environment and content exclude each other",
			       kind, object->key);
	}
}

static void check_external(struct loader *l, const char *kinds, const char *key)
{
	const struct node *node = node_get(node_get(l->root, kinds), key);

	node_foreach(child, node) {
		/* `ipam: {}`, as `config` prints it, asks for nothing. */
		if (child->kind == NODE_MAPPING && !child->count)
			continue;
		if (!strcmp(child->key, "name") || !strcmp(child->key, "external") ||
		    str_starts_with(child->key, "x-"))
			continue;
		report_add(&l->report, &child->key_at,
			   "%s.%s: conflicting parameters \"external\" and \"%s\" specified", kinds,
			   key, child->key);
		return;
	}
}

static void check_objects(struct loader *l)
{
	const struct project *p = l->project;

	for (size_t i = 0; i < p->secret_count; i++)
		if (!is_broken(l, "secrets", p->secrets[i].key))
			check_file_object(l, "secret", "secrets", &p->secrets[i]);
	for (size_t i = 0; i < p->config_count; i++)
		if (!is_broken(l, "configs", p->configs[i].key))
			check_file_object(l, "config", "configs", &p->configs[i]);
	for (size_t i = 0; i < p->model_count; i++)
		if (!is_broken(l, "models", p->models[i].key))
			check_model(l, &p->models[i]);
	for (size_t i = 0; i < p->network_count; i++)
		if (p->networks[i].external)
			check_external(l, "networks", p->networks[i].key);
	for (size_t i = 0; i < p->volume_count; i++)
		if (p->volumes[i].external)
			check_external(l, "volumes", p->volumes[i].key);
}

void check_project(struct loader *l)
{
	const struct project *p = l->project;

	for (size_t i = 0; i < p->service_count; i++) {
		const struct service *service = &p->services[i];

		if (is_broken(l, "services", service->name))
			continue;
		check_image(l, service);
		check_build(l, service);
		check_models(l, service);
		check_networks(l, service);
		check_mounts(l, service);
		check_targets(l, service);
		check_references(l, service);
		check_dependencies(l, service);
		check_scale(l, service);
		check_limits(l, service);
	}
	check_container_names(l);
	check_objects(l);
	check_cycles(l);
}
