// SPDX-License-Identifier: GPL-2.0-or-later
/* environment.c - values that come from files and from the client's environment. */
#include "compose/load/environment.h"

#include <errno.h>
#include <string.h>

#include "common/alloc.h"

#include "compose/load/files.h"
#include "compose/load/variables.h"
#include "compose/model/shapes.h"
#include "compose/tree/dotenv.h"

#define ENV_FILE_VARIABLES_MAX 100000

/* What one service's env_files say so far. */
struct gathering {
	struct loader *l;
	struct map found; /* owns its values */
};

static void gather(void *data, const char *key, const char *value)
{
	struct gathering *g = data;

	if (value && g->found.count < ENV_FILE_VARIABLES_MAX)
		free(map_set(&g->found, key, alloc_string(value)));
}

static const char *lookup(void *data, const char *name)
{
	const struct gathering *g = data;
	const char *value = loader_variable(g->l, name);

	return value ? value : map_get(&g->found, name);
}

static void unset(void *data, const char *name)
{
	struct gathering *g = data;
	struct interpolation with = variables_interpolation(g->l);

	with.unset(with.data, name);
}

static bool names(const struct node *item, const char *path)
{
	const struct node *said = item->kind == NODE_MAPPING ? node_get(item, "path") : item;
	const char *text = said && said->text ? said->text : "";

	text += strspn(text, "./");
	return *text && str_ends_with(path, text);
}

/* Where the file's name stands, or else `env_file`. */
static const struct position *name_at(const struct loader *l, const struct service *service,
				      const char *path)
{
	const struct node *list =
		node_get(node_get(node_get(l->root, "services"), service->name), "env_file");

	if (list && list->kind == NODE_STRING)
		return &list->at;
	if (list && list->kind == NODE_SEQUENCE)
		node_foreach(item, list)
			if (names(item, path))
				return &item->at;
	return loader_at(l, "services", service->name, "env_file", NULL);
}

static int read_env_file(struct gathering *g, const struct service *service,
			 const struct env_file *file, struct error *err)
{
	struct interpolation with = {.lookup = lookup, .unset = unset, .data = g};
	struct dotenv dotenv = {
		.with = &with, .raw = file->format != NULL, .add = gather, .data = g};
	struct source *source = NULL;
	int r = files_read(g->l, file->path, DOTENV_SIZE_MAX, &source, err);

	if (r == -ENOENT && !file->required) {
		error_clear(err);
		return 0;
	}
	if (r == -ENOENT)
		return error_at(err, name_at(g->l, service, file->path),
				"env file %s not found: stat %s: no such file or directory",
				file->path, file->path);
	if (r >= 0)
		r = dotenv_parse(&dotenv, source, err);
	if (r < 0)
		return error_wrap(err, "failed to read %s", file->path);
	return 0;
}

/* What the file that names the key alone sees: an included project has variables of its own. */
static const char *from_outside(struct loader *l, const struct service *service, const char *key)
{
	const struct position *at;

	if (!l->scope_count)
		return loader_variable(l, key);
	at = loader_at(l, "services", service->name, "environment", key, NULL);
	return map_get(at->source && at->source->variables ? at->source->variables : &l->variables,
		       key);
}

/* `environment` wins over the files; a key alone takes the client's value, or stays unset. */
static void fill_environment(struct gathering *g, struct service *service)
{
	struct mapping *environment = &service->environment;

	for (size_t i = 0; i < environment->count; i++) {
		struct key_value *item = &environment->items[i];

		if (!item->value)
			item->value = alloc_string(from_outside(g->l, service, item->key));
		free(map_remove(&g->found, item->key));
	}
	map_foreach(entry, &g->found)
		mapping_add(environment, entry->key, entry->value);
	mapping_sort(environment);
	map_done(&g->found, free);
}

static void drop(struct service *service, const char *name)
{
	const struct attribute *attribute = schema_attribute(&service_schema, name);
	struct slot slot = attribute_slot(attribute, service);

	attribute->shape->release(&slot);
}

/* Keys without a value take the client's; @keep: one that is nowhere set stays, as "unset". */
static void fill_values(struct loader *l, struct mapping *mapping, bool keep)
{
	size_t kept = 0;

	for (size_t i = 0; i < mapping->count; i++) {
		struct key_value *item = &mapping->items[i];

		if (!item->value)
			item->value = alloc_string(loader_variable(l, item->key));
		if (item->value || keep)
			mapping->items[kept++] = *item;
		else
			free(item->key);
	}
	mapping->count = kept;
}

static void fill_hooks(struct loader *l, struct hook *hooks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fill_values(l, &hooks[i].environment, true);
}

static void gather_label(void *data, const char *key, const char *value)
{
	struct gathering *g = data;

	if (g->found.count < ENV_FILE_VARIABLES_MAX)
		free(map_set(&g->found, key, alloc_string(value ? value : "")));
}

/* `labels` win over files, later files over earlier ones; the syntax is env_file's. */
static int read_label_files(struct loader *l, struct service *service, struct error *err)
{
	struct gathering g = {.l = l};
	struct interpolation with = {.lookup = lookup, .unset = unset, .data = &g};
	struct dotenv dotenv = {.with = &with, .add = gather_label, .data = &g};
	int r = 0;

	strv_foreach(path, service->label_files) {
		struct source *source = NULL;

		if (r < 0)
			break;
		r = files_read(l, path, DOTENV_SIZE_MAX, &source, err);
		if (r == -ENOENT)
			r = error_at(err,
				     loader_at(l, "services", service->name, "label_file", NULL),
				     "label file %s not found: stat %s: no such file or directory",
				     path, path);
		if (r >= 0)
			r = dotenv_parse(&dotenv, source, err);
		if (r < 0 && !err->where[0])
			error_wrap(err, "failed to read %s", path);
	}
	map_foreach(entry, &g.found)
		if (!mapping_get(&service->labels, entry->key))
			mapping_add(&service->labels, entry->key, entry->value);
	mapping_sort(&service->labels);
	map_done(&g.found, free);
	return r;
}

static int fill_object(struct loader *l, const char *kinds, struct file_object *object,
		       struct error *err)
{
	const struct position *at;
	const char *value;
	int kind_length = (int)strlen(kinds) - 1;

	if (!object->environment)
		return 0;
	at = loader_at(l, kinds, object->key, "environment", NULL);
	value = map_get(at->source && at->source->variables ? at->source->variables : &l->variables,
			object->environment);
	if (value) {
		object->content = alloc_string(value);
		return 0;
	}
	if (!l->options->no_consistency && !l->options->unset_sources)
		return error_at(err, at,
				"environment variable \"%s\" required by %.*s \"%s\" is not set: "
				"set it in the shell or in .env",
				object->environment, kind_length, kinds, object->key);
	loader_warn(l, "environment variable \"%s\" required by %.*s \"%s\" is not set",
		    object->environment, kind_length, kinds, object->key);
	return 0;
}

static int fill_objects(struct loader *l, const char *kinds, struct file_object *objects,
			size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		int r = fill_object(l, kinds, &objects[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

int environment_resolve(struct loader *l, struct error *err)
{
	struct project *p = l->project;

	for (size_t i = 0; i < p->service_count; i++) {
		struct service *service = &p->services[i];
		struct gathering g = {.l = l};

		for (size_t n = 0; n < service->env_file_count; n++) {
			int r = read_env_file(&g, service, &service->env_files[n], err);

			if (r < 0) {
				map_done(&g.found, free);
				return r;
			}
		}
		fill_environment(&g, service);
		drop(service, "env_file");
		if (read_label_files(l, service, err) < 0)
			return -err->code;
		drop(service, "label_file");
		fill_values(l, &service->build.args, false);
		fill_hooks(l, service->pre_start, service->pre_start_count);
		fill_hooks(l, service->post_start, service->post_start_count);
		fill_hooks(l, service->pre_stop, service->pre_stop_count);
	}
	if (fill_objects(l, "secrets", p->secrets, p->secret_count, err) < 0)
		return -err->code;
	return fill_objects(l, "configs", p->configs, p->config_count, err);
}
