// SPDX-License-Identifier: GPL-2.0-or-later
/* select.c - which services take part: profiles, the chosen ones, and what they depend on. */
#include "compose/load/select.h"

#include <errno.h>
#include <string.h>

#include "common/alloc.h"

#include "compose/model/shapes.h"

static char **active_profiles(struct loader *l)
{
	const char *variable = loader_variable(l, "COMPOSE_PROFILES");
	_cleanup_strv_ char **listed = NULL;
	char **active = NULL;

	if (l->options->profiles && l->options->profiles[0])
		return strv_dup(l->options->profiles);
	listed = variable ? strv_split(variable, ",") : NULL;
	strv_foreach(profile, listed)
		strv_append(&active, str_trim(profile));
	return active;
}

static bool is_enabled(const struct service *service, char *const *active)
{
	if (!service->profiles || strv_contains(active, "*"))
		return true;
	strv_foreach(profile, service->profiles)
		if (strv_contains(active, profile))
			return true;
	return false;
}

/* A service that is asked for by name brings its own profiles with it. */
static int activate_chosen(struct loader *l, char ***active, struct error *err)
{
	strv_foreach(name, l->options->services) {
		const struct service *service = project_service(l->project, name);

		if (!service)
			return project_no_such_service(l->project, name, err);
		strv_foreach(profile, service->profiles)
			if (!strv_contains(*active, profile))
				strv_append(active, profile);
	}
	return 0;
}

static void release_dependency(struct dependency *dependency)
{
	free(dependency->service);
}

/* Keeps those with keep[i]; of the others, dependencies on them go as well. */
static void keep_services(struct project *p, const bool *keep)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->service_count; i++) {
		if (keep[i]) {
			if (kept != i)
				p->services[kept] = p->services[i];
			kept++;
		} else {
			release_object(&service_schema, &p->services[i]);
			free(p->services[i].name);
		}
	}
	p->service_count = kept;
}

static void drop_dependencies(struct project *p)
{
	for (size_t i = 0; i < p->service_count; i++) {
		struct service *service = &p->services[i];
		size_t kept = 0;

		for (size_t n = 0; n < service->dependency_count; n++) {
			if (project_service(p, service->depends_on[n].service))
				service->depends_on[kept++] = service->depends_on[n];
			else
				release_dependency(&service->depends_on[n]);
		}
		service->dependency_count = kept;
	}
}

static size_t number_of(const struct project *p, const char *name)
{
	const struct service *service = project_service(p, name);

	return service ? (size_t)(service - p->services) : SIZE_MAX;
}

static int check_disabled(struct loader *l, const bool *enabled, struct error *err)
{
	const struct project *p = l->project;

	for (size_t i = 0; i < p->service_count; i++) {
		const struct service *service = &p->services[i];

		for (size_t n = 0; enabled[i] && n < service->dependency_count; n++) {
			const struct dependency *dependency = &service->depends_on[n];
			size_t other = number_of(p, dependency->service);
			_cleanup_free_ char *profiles = NULL;

			if (other == SIZE_MAX || enabled[other] || !dependency->required)
				continue;
			profiles = strv_join(p->services[other].profiles, " ");
			return error_at(err,
					loader_at(l, "services", service->name, "depends_on",
						  dependency->service, NULL),
					"service \"%s\" is required by \"%s\" but is disabled. Can "
					"be enabled by profiles [%s]",
					dependency->service, service->name, profiles);
		}
	}
	return 0;
}

static int apply_profiles(struct loader *l, struct error *err)
{
	struct project *p = l->project;
	_cleanup_strv_ char **active = active_profiles(l);
	_cleanup_free_ bool *enabled = new_array(bool, p->service_count + 1);
	size_t disabled = 0;
	int r = activate_chosen(l, &active, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < p->service_count; i++) {
		enabled[i] = is_enabled(&p->services[i], active);
		if (enabled[i])
			continue;
		*array_add(p->disabled_services, disabled) = alloc_string(p->services[i].name);
		*array_add(p->disabled_services, disabled) = NULL;
		disabled--;
	}
	if (!l->options->no_consistency && (!l->options->services || l->options->with_dependencies))
		r = check_disabled(l, enabled, err);
	if (r < 0)
		return r;
	keep_services(p, enabled);
	drop_dependencies(p);
	return 0;
}

static void choose(const struct loader *l, bool *keep, size_t first)
{
	const struct project *p = l->project;
	_cleanup_free_ size_t *stack = new_array(size_t, p->service_count + 1);
	size_t depth = 0;

	stack[depth++] = first;
	keep[first] = true;
	while (depth && l->options->with_dependencies) {
		const struct service *service = &p->services[stack[--depth]];

		for (size_t n = 0; n < service->dependency_count; n++) {
			size_t other = number_of(p, service->depends_on[n].service);

			if (other == SIZE_MAX || keep[other])
				continue;
			keep[other] = true;
			stack[depth++] = other;
		}
	}
}

static void apply_choice(struct loader *l)
{
	struct project *p = l->project;
	_cleanup_free_ bool *keep = new_array(bool, p->service_count + 1);

	if (!l->options->services || !l->options->services[0])
		return;
	strv_foreach(name, l->options->services) {
		size_t number = number_of(p, name);

		if (number != SIZE_MAX && !keep[number])
			choose(l, keep, number);
	}
	keep_services(p, keep);
	drop_dependencies(p);
}

/* Names that services use, of one kind. */
static void drop_unused(void *items, size_t *count, size_t size, size_t key_offset,
			const struct schema *schema, const struct map *used)
{
	char *rows = items;
	size_t kept = 0;

	for (size_t i = 0; i < *count; i++) {
		char *row = rows + i * size, *key = *(char **)(void *)(row + key_offset);

		if (map_get(used, key)) {
			if (kept != i)
				memcpy(rows + kept * size, row, size);
			kept++;
		} else {
			release_object(schema, row);
			free(key);
		}
	}
	*count = kept;
}

static void drop_unused_resources(struct project *p)
{
	struct map networks = {0}, volumes = {0}, secrets = {0}, configs = {0}, models = {0};

	for (size_t i = 0; i < p->service_count; i++) {
		struct service *s = &p->services[i];

		for (size_t n = 0; n < s->network_count; n++)
			map_set(&networks, s->networks[n].name, p);
		for (size_t n = 0; n < s->volume_count; n++)
			if (s->volumes[n].type == MOUNT_VOLUME && s->volumes[n].source)
				map_set(&volumes, s->volumes[n].source, p);
		for (size_t n = 0; n < s->secret_count; n++)
			map_set(&secrets, s->secrets[n].source, p);
		for (size_t n = 0; n < s->config_count; n++)
			map_set(&configs, s->configs[n].source, p);
		for (size_t n = 0; n < s->build.secret_count; n++)
			map_set(&secrets, s->build.secrets[n].source, p);
		for (size_t n = 0; n < s->model_count; n++)
			map_set(&models, s->models[n].name, p);
	}
	drop_unused(p->networks, &p->network_count, sizeof(*p->networks),
		    offsetof(struct network, key), &network_schema, &networks);
	drop_unused(p->volumes, &p->volume_count, sizeof(*p->volumes), offsetof(struct volume, key),
		    &volume_schema, &volumes);
	drop_unused(p->secrets, &p->secret_count, sizeof(*p->secrets),
		    offsetof(struct file_object, key), &secret_schema, &secrets);
	drop_unused(p->configs, &p->config_count, sizeof(*p->configs),
		    offsetof(struct file_object, key), &config_schema, &configs);
	drop_unused(p->models, &p->model_count, sizeof(*p->models), offsetof(struct ai_model, key),
		    &model_schema, &models);
	map_done(&models, NULL);
	map_done(&networks, NULL);
	map_done(&volumes, NULL);
	map_done(&secrets, NULL);
	map_done(&configs, NULL);
}

int select_services(struct loader *l, struct error *err)
{
	int r = apply_profiles(l, err);

	if (r < 0)
		return r;
	apply_choice(l);
	if (!l->options->all_resources)
		drop_unused_resources(l->project);
	return 0;
}
