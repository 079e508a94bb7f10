// SPDX-License-Identifier: GPL-2.0-or-later
/* normalize.c - what the file leaves to be understood. */
#include "compose/load/normalize.h"

#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"

#include "compose/model/shapes.h"

static void set_name(const struct loader *l, const char *kind, const char *key, bool external,
		     char **name)
{
	const struct node *said = node_get(node_get(node_get(l->root, kind), key), "external");
	const struct node *old_form = node_get(said, "name");

	if (!*name && old_form && old_form->kind == NODE_STRING)
		*name = alloc_string(old_form->text);
	if (*name && **name)
		return;
	free(*name);
	*name = external ? alloc_string(key) : str_printf("%s_%s", l->project->name, key);
}

static void set_names(struct loader *l)
{
	struct project *p = l->project;

	for (size_t i = 0; i < p->network_count; i++)
		set_name(l, "networks", p->networks[i].key, p->networks[i].external,
			 &p->networks[i].name);
	for (size_t i = 0; i < p->volume_count; i++)
		set_name(l, "volumes", p->volumes[i].key, p->volumes[i].external,
			 &p->volumes[i].name);
	for (size_t i = 0; i < p->secret_count; i++)
		set_name(l, "secrets", p->secrets[i].key, p->secrets[i].external,
			 &p->secrets[i].name);
	for (size_t i = 0; i < p->config_count; i++)
		set_name(l, "configs", p->configs[i].key, p->configs[i].external,
			 &p->configs[i].name);
}

static int compare_networks(const void *a, const void *b)
{
	return strcmp(((const struct network *)a)->key, ((const struct network *)b)->key);
}

/* A service that says nothing of networks is on `default`, which need not be declared. */
static void use_default_network(struct project *p)
{
	bool used = false;

	for (size_t i = 0; i < p->service_count; i++) {
		struct service *service = &p->services[i];

		if (!service->network_mode && !service->network_count && !service->provider.given)
			array_add(service->networks, service->network_count)->name =
				alloc_string("default");
		for (size_t n = 0; n < service->network_count; n++)
			used = used || !strcmp(service->networks[n].name, "default");
	}
	if (!used || project_network(p, "default"))
		return;
	array_add(p->networks, p->network_count)->key = alloc_string("default");
	qsort(p->networks, p->network_count, sizeof(*p->networks), compare_networks);
}

static int compare_dependencies(const void *a, const void *b)
{
	return strcmp(((const struct dependency *)a)->service,
		      ((const struct dependency *)b)->service);
}

static void imply(struct service *service, const char *name, bool restart)
{
	struct dependency *dependency;

	for (size_t i = 0; i < service->dependency_count; i++)
		if (!strcmp(service->depends_on[i].service, name))
			return;
	dependency = array_add(service->depends_on, service->dependency_count);
	dependency->service = alloc_string(name);
	dependency->condition = CONDITION_STARTED;
	dependency->restart = restart;
	dependency->required = true;
}

static void imply_dependencies(struct service *service)
{
	const char *references[] = {service->network_mode, service->ipc, service->pid, service->uts,
				    service->cgroup};

	strv_foreach(link, service->links) {
		_cleanup_free_ char *name = alloc_string_n(link, strcspn(link, ":"));

		imply(service, name, true);
	}
	array_foreach(reference, references)
		if (*reference && str_starts_with(*reference, "service:"))
			imply(service, *reference + strlen("service:"), true);
	strv_foreach(from, service->volumes_from) {
		_cleanup_free_ char *name = alloc_string_n(from, strcspn(from, ":"));

		if (!str_starts_with(from, "container:"))
			imply(service, name, false);
	}
	if (service->dependency_count)
		qsort(service->depends_on, service->dependency_count, sizeof(*service->depends_on),
		      compare_dependencies);
}

/* `o: bind` with a relative device means a folder of the project. */
static void resolve_device(const struct loader *l, struct volume *volume)
{
	const char *options = mapping_get(&volume->driver_opts, "o");
	_cleanup_strv_ char **words = options ? strv_split(options, ",") : NULL;

	if (!strv_contains(words, "bind") && !strv_contains(words, "rbind"))
		return;
	for (size_t i = 0; i < volume->driver_opts.count; i++) {
		struct key_value *item = &volume->driver_opts.items[i];
		char *path;

		if (strcmp(item->key, "device") || !item->value || !*item->value)
			continue;
		path = loader_path(l, l->directory, item->value);
		free(item->value);
		item->value = path;
	}
}

void normalize_project(struct loader *l)
{
	struct project *p = l->project;

	use_default_network(p);
	set_names(l);
	for (size_t i = 0; i < p->service_count; i++) {
		struct service *service = &p->services[i];

		imply_dependencies(service);
		if (str_equal(service->pull_policy, "if_not_present")) {
			free(service->pull_policy);
			service->pull_policy = alloc_string("missing");
		}
	}
	for (size_t i = 0; i < p->volume_count && !l->options->no_path_resolution; i++)
		resolve_device(l, &p->volumes[i]);
}
