// SPDX-License-Identifier: GPL-2.0-or-later
/* references.c - what a service names and the project does not have. */
#include <string.h>

#include "common/alloc.h"

#include "compose/load/check/parts.h"

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

	if (l->incomplete || is_unknown(l, kind))
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

	if (service->network_mode)
		return;
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

static void undefined_file(struct loader *l, const struct service *service, const char *attribute,
			   const char *kind, const char *name, const struct file_object *objects,
			   size_t count)
{
	_cleanup_free_ const char **known = new_array(const char *, count + 1);

	for (size_t i = 0; i < count; i++)
		known[i] = objects[i].key;
	undefined(l, service, attribute, kind, name, known, count);
}

static void check_secrets(struct loader *l, const struct service *service)
{
	const struct project *p = l->project;

	for (size_t i = 0; i < service->secret_count; i++)
		if (!project_secret(p, service->secrets[i].source))
			undefined_file(l, service, "secrets", "secret", service->secrets[i].source,
				       p->secrets, p->secret_count);
}

static void check_configs(struct loader *l, const struct service *service)
{
	const struct project *p = l->project;

	for (size_t i = 0; i < service->config_count; i++)
		if (!project_config(p, service->configs[i].source))
			undefined_file(l, service, "configs", "config", service->configs[i].source,
				       p->configs, p->config_count);
}

static void check_build(struct loader *l, const struct service *service)
{
	const struct build *build = &service->build;

	for (size_t i = 0; i < build->secret_count; i++)
		if (!project_secret(l->project, build->secrets[i].source) && !l->incomplete &&
		    !is_unknown(l, "secret"))
			loader_problem(
				l,
				loader_at(l, "services", service->name, "build", "secrets", NULL),
				"service \"%s\" refers to undefined build secret %s", service->name,
				build->secrets[i].source);
	for (size_t i = 0; i < build->additional_contexts.count; i++) {
		const struct key_value *row = &build->additional_contexts.items[i];
		const char *other = row->value && str_starts_with(row->value, "service:")
					    ? row->value + strlen("service:")
					    : NULL;

		if (other && !l->incomplete && !project_service(l->project, other))
			loader_problem(l,
				       loader_at(l, "services", service->name, "build",
						 "additional_contexts", NULL),
				       "service \"%s\" declares unknown service \"%s\" as "
				       "additional context %s",
				       service->name, other, row->key);
	}
}

static void check_if_read(struct loader *l, const struct service *service, const char *attribute,
			  void (*check)(struct loader *l, const struct service *service))
{
	if (!check_is_broken(l, "services", service->name, attribute))
		check(l, service);
}

void check_references(struct loader *l, const struct service *service)
{
	check_if_read(l, service, "build", check_build);
	check_if_read(l, service, "models", check_models);
	check_if_read(l, service, "networks", check_networks);
	check_if_read(l, service, "volumes", check_mounts);
	check_if_read(l, service, "secrets", check_secrets);
	check_if_read(l, service, "configs", check_configs);
}
