// SPDX-License-Identifier: GPL-2.0-or-later
/* objects.c - what is wrong with top-level networks, volumes, secrets, configs and models. */
#include <string.h>

#include "common/alloc.h"

#include "compose/load/check/parts.h"

static void check_model(struct loader *l, const struct ai_model *model)
{
	if (!l->incomplete && (!model->model || !*model->model))
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
	const char *credential = object->berth.credential;
	const struct position *at = loader_at(l, kinds, object->key, NULL);

	if (!secret)
		check_config_keys(l, object->key);
	if (credential && (object->environment || node_get(node, "content"))) {
		loader_problem(l, at,
			       "%s \"%s\": a credential excludes environment and content (a file "
			       "may be there for those who do not know credentials)",
			       kind, object->key);
	} else if (object->external) {
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
	} else if (!sources && !object->driver && !credential) {
		if (l->incomplete)
			return;
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

static bool is_broken_file(const struct loader *l, const char *kinds, const char *key)
{
	static const char *const sources[] = {"file", "environment", "content", "external",
					      "driver"};

	array_foreach(source, sources)
		if (check_is_broken(l, kinds, key, *source))
			return true;
	return false;
}

void check_objects(struct loader *l)
{
	const struct project *p = l->project;

	for (size_t i = 0; i < p->secret_count; i++)
		if (!is_broken_file(l, "secrets", p->secrets[i].key))
			check_file_object(l, "secret", "secrets", &p->secrets[i]);
	for (size_t i = 0; i < p->config_count; i++)
		if (!is_broken_file(l, "configs", p->configs[i].key))
			check_file_object(l, "config", "configs", &p->configs[i]);
	for (size_t i = 0; i < p->model_count; i++)
		if (!check_is_broken(l, "models", p->models[i].key, "model"))
			check_model(l, &p->models[i]);
	for (size_t i = 0; i < p->network_count; i++)
		if (p->networks[i].external)
			check_external(l, "networks", p->networks[i].key);
	for (size_t i = 0; i < p->volume_count; i++)
		if (p->volumes[i].external)
			check_external(l, "volumes", p->volumes[i].key);
}
