// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * include.c - projects that a project is made of, each with its own folder and .env.
 *
 * What the including file says wins over what it includes, and of two that it includes the one
 * that stands first.
 */
#include "compose/load/include.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"

#include "compose/load/merge.h"
#include "compose/load/remote.h"
#include "compose/load/variables.h"

#define DEPTH_MAX 40

struct inclusion {
	struct scope scope;
	const struct node *item; /* of `include` */
	char **files;            /* absolute */
	struct map found;        /* in its env_files; owns its values */
	char *directory;
};

static int take_remote(struct inclusion *inclusion, const struct node *node, struct error *err)
{
	char *path = NULL;

	if (remote_fetch(inclusion->scope.l, node->text, &path, err) < 0) {
		struct error inner = *err;

		return error_at(err, &node->at, "include: %s", inner.message);
	}
	strv_take(&inclusion->files, path);
	return 0;
}

static int take_path(struct inclusion *inclusion, const struct node *node, struct error *err)
{
	const struct scope *parent = inclusion->scope.parent;

	if (node->kind != NODE_STRING || !*node->text)
		return error_at(err, &node->at, "include.path must be the name of a file, not %s",
				node_kind_name(node));
	if (remote_is(node->text))
		return take_remote(inclusion, node, err);
	strv_take(&inclusion->files, loader_path(parent->l, parent->directory, node->text));
	return 0;
}

/* A text or a list of texts, each given to @take. */
static int take_list(struct inclusion *inclusion, const struct node *node,
		     int (*take)(struct inclusion *, const struct node *, struct error *),
		     struct error *err)
{
	if (!node)
		return 0;
	if (node->kind != NODE_SEQUENCE)
		return take(inclusion, node, err);
	node_foreach(item, node) {
		int r = take(inclusion, item, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int check_form(const struct node *item, struct error *err)
{
	static const char *const known[] = {"path", "env_file", "project_directory"};

	if (item->kind == NODE_STRING)
		return 0;
	if (item->kind != NODE_MAPPING)
		return error_at(err, &item->at,
				"include must be a list of files or mappings, not %s",
				node_kind_name(item));
	node_foreach(child, item) {
		const char *meant = str_suggest(child->key, known, ARRAY_SIZE(known));
		bool good = false;

		array_foreach(name, known)
			good = good || !strcmp(*name, child->key);
		if (!good)
			return error_at(err, &child->key_at,
					"include additional properties '%s' not allowed%s%s%s",
					child->key, meant ? "; did you mean '" : "",
					meant ? meant : "", meant ? "'?" : "");
	}
	if (!node_get(item, "path"))
		return error_at(err, &item->at, "include.path is required");
	return 0;
}

static int find_directory(struct inclusion *inclusion, struct error *err)
{
	const struct scope *parent = inclusion->scope.parent;
	const struct node *given = node_get(inclusion->item, "project_directory");

	if (given && given->kind != NODE_STRING)
		return error_at(err, &given->at, "include.project_directory must be a string");
	if (given)
		inclusion->directory = loader_path(parent->l, parent->directory, given->text);
	else
		inclusion->directory = remote_folder(inclusion->files[0]);
	inclusion->scope.directory = inclusion->directory;
	return 0;
}

static int take_env_file(struct inclusion *inclusion, const struct node *node, struct error *err)
{
	const struct scope *parent = inclusion->scope.parent;
	_cleanup_free_ char *path = NULL;
	int r;

	if (node->kind != NODE_STRING)
		return error_at(err, &node->at, "include.env_file must be a string or a list");
	path = loader_path(parent->l, parent->directory, node->text);
	if (!strcmp(path, "/dev/null"))
		return 0;
	r = variables_read(&inclusion->scope, path, &inclusion->found, err);
	if (r == -ENOENT)
		return error_at(err, &node->at, "env file %s not found", path);
	return r;
}

/* The including project's variables win; .env of its own folder unless env_file says another. */
static int find_variables(struct inclusion *inclusion, struct error *err)
{
	struct scope *scope = &inclusion->scope;
	const struct node *env_file = node_get(inclusion->item, "env_file");
	_cleanup_free_ char *path = NULL;
	int r = 0;

	scope->variables = new (struct map);
	*array_add(scope->l->scopes, scope->l->scope_count) = scope->variables;
	map_foreach(entry, scope->parent->variables)
		map_set(scope->variables, entry->key, alloc_string(entry->value));
	path = str_printf("%s/.env", strcmp(scope->directory, "/") ? scope->directory : "");
	if (env_file)
		r = take_list(inclusion, env_file, take_env_file, err);
	else if (!access(path, F_OK))
		r = variables_read(scope, path, &inclusion->found, err);
	variables_adopt(scope, &inclusion->found);
	return r;
}

static int check_cycle(const struct inclusion *inclusion, struct error *err)
{
	const struct scope *parent = inclusion->scope.parent;

	strv_foreach(file, inclusion->files) {
		_cleanup_strbuf_ struct strbuf way = {0};

		for (const struct scope *scope = parent; scope; scope = scope->parent) {
			if (scope->files)
				strbuf_addf(&way, "\n  included by %s", scope->files[0]);
			if (strv_contains(scope->files, file))
				return error_at(err, &inclusion->item->at,
						"include cycle detected: %s%s", file, way.data);
		}
	}
	if (inclusion->scope.depth > DEPTH_MAX)
		return error_at(err, &inclusion->item->at, "include: nested deeper than %d files",
				DEPTH_MAX);
	return 0;
}

static int load(struct inclusion *inclusion, struct node **ret, struct error *err)
{
	const struct node *item = inclusion->item;
	const struct node *path = item->kind == NODE_STRING ? item : node_get(item, "path");
	int r = take_list(inclusion, path, take_path, err);

	if (r >= 0 && !inclusion->files)
		return error_at(err, &path->at, "include.path is empty");
	if (r >= 0)
		r = check_cycle(inclusion, err);
	if (r >= 0)
		r = find_directory(inclusion, err);
	if (r >= 0)
		r = find_variables(inclusion, err);
	if (r < 0)
		return r;
	inclusion->scope.files = inclusion->files;
	r = inclusion->scope.l->load_files(&inclusion->scope, inclusion->files, ret, err);
	if (r == -ENOENT && !err->where[0]) {
		struct error inner = *err;

		return error_at(err, &item->at, "%s", inner.message);
	}
	return r;
}

/* Only what services need comes along: not its name, and not its extensions. */
static void drop_the_rest(struct node *root)
{
	static const char *const kinds[] = {"services", "networks", "volumes",
					    "secrets",  "configs",  "models"};

	for (size_t i = 0; root && i < root->count;) {
		bool known = false;

		array_foreach(kind, kinds)
			known = known || !strcmp(*kind, root->items[i]->key);
		/* What is unknown is kept, to be complained about. */
		if (known || (!str_starts_with(root->items[i]->key, "x-") &&
			      strcmp(root->items[i]->key, "name")))
			i++;
		else
			node_free(node_take(root, i));
	}
}

static int include_one(struct scope *scope, const struct node *item, struct node **document,
		       struct error *err)
{
	struct inclusion inclusion = {
		.scope = {.l = scope->l, .parent = scope, .depth = scope->depth + 1},
		.item = item,
	};
	struct node *root = NULL;
	int r = check_form(item, err);

	if (r >= 0)
		r = load(&inclusion, &root, err);
	/* The sources keep a copy of it; scope and files end here. */
	free(inclusion.directory);
	strv_free(inclusion.files);
	if (r < 0 || !root) {
		node_free(root);
		return r;
	}
	drop_the_rest(root);
	merge_documents(scope->l, root, *document);
	*document = root;
	return 0;
}

int include_apply(struct scope *scope, struct node **document, struct error *err)
{
	_cleanup_node_ struct node *include = NULL;
	int r = 0;

	for (size_t i = 0; i < (*document)->count && !include; i++)
		if (!strcmp((*document)->items[i]->key, "include"))
			include = node_take(*document, i);
	if (!include || include->kind == NODE_NULL || include->tag == NODE_RESET)
		return 0;
	if (include->kind != NODE_SEQUENCE) {
		scope->l->incomplete = true;
		(void)error_at(err, &include->at, "include must be a list, not %s",
			       node_kind_name(include));
		return loader_failure(scope->l, err);
	}
	for (size_t i = 0; i < include->count && r >= 0; i++) {
		r = include_one(scope, include->items[i], document, err);
		if (r >= 0)
			continue;
		scope->l->incomplete = true;
		r = loader_failure(scope->l, err);
	}
	return r;
}
