// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * extends.c - a service built on another one, of this file or of another, and that one's own.
 *
 * What the base has of paths stays relative to the base's file, since each node knows its source.
 */
#include "compose/load/extends.h"

#include <errno.h>
#include <string.h>

#include "common/alloc.h"

#include "compose/load/merge.h"
#include "compose/load/remote.h"
#include "compose/load/trace.h"
#include "compose/model/decoder.h"

#define CHAIN_MAX  200
#define COPIES_MAX 2000000

/* A file whose services may be extended: this one, or one that was loaded for it. */
struct extendable {
	struct scope scope;
	struct node *root;
	struct error failure;       /* why there is no root */
	const struct node *earlier; /* what the documents before this one gave; may be NULL */
	char *directory;
};

/* The way from the first service to the one being looked at. */
struct link {
	const struct link *from;
	const struct node *service;
	unsigned int length;
};

void extendable_free(void *data)
{
	struct extendable *file = data;

	if (!file)
		return;
	node_free(file->root);
	free(file->directory);
	free(file);
}

static int resolve(struct extendable *file, struct node *service, const struct link *from,
		   struct error *err);

static int open_failed(const struct extendable *file, const struct node *name, struct error *err)
{
	*err = file->failure;
	if (err->code == ENOENT && !err->where[0])
		return error_at(err, &name->at, "%s", file->failure.message);
	return -err->code;
}

static int find_file(const struct extendable *user, const struct node *name, char **ret,
		     struct error *err)
{
	struct loader *l = user->scope.l;

	if (!remote_is(name->text)) {
		*ret = loader_path(l, user->scope.directory, name->text);
		return 0;
	}
	if (remote_fetch(l, name->text, ret, err) < 0) {
		struct error inner = *err;

		return error_at(err, &name->at, "extends: %s", inner.message);
	}
	return 0;
}

/* Loaded once, however many extend its services; only its services matter. */
static int open_file(struct extendable *user, const struct node *name, struct extendable **ret,
		     struct error *err)
{
	struct loader *l = user->scope.l;
	_cleanup_free_ char *path = NULL, *key = NULL;
	char *files[] = {NULL, NULL};
	struct extendable *file = NULL;
	int r = find_file(user, name, &path, err);

	if (r < 0)
		return r;
	files[0] = path;
	key = str_printf("%p %s", (void *)user->scope.variables, path);
	file = map_get(&l->extended, key);
	*ret = file;
	if (file && !file->failure.code)
		return 0;
	if (file)
		return open_failed(file, name, err);
	file = new (struct extendable);
	file->directory = remote_folder(path);
	file->scope = (struct scope){
		.l = l,
		.directory = file->directory,
		.variables = user->scope.variables,
		.alone = true,
	};
	map_set(&l->extended, key, file);
	r = l->load_files(&file->scope, files, &file->root, err);
	*ret = file;
	if (r >= 0)
		return r;
	file->failure = *err;
	return open_failed(file, name, err);
}

static int not_found(const struct extendable *file, const struct node *service,
		     const struct node *name, struct error *err)
{
	const struct node *services = node_get(file->root, "services");
	size_t count = services ? services->count : 0, n = 0;
	_cleanup_free_ const char **names = new_array(const char *, count + 1);
	const char *meant;

	node_foreach(other, services)
		if (other != service)
			names[n++] = other->key;
	meant = str_suggest(name->text, names, n);
	return error_at(err, &name->at,
			"cannot extend service \"%s\" in %s: service \"%s\" not found%s%s%s",
			service->key, file->root ? file->root->at.source->name : name->text,
			name->text, meant ? "; did you mean '" : "", meant ? meant : "",
			meant ? "'?" : "");
}

static int circular(const struct link *way, const struct node *service, const struct node *extends,
		    struct error *err)
{
	_cleanup_strbuf_ struct strbuf text = {0};
	const struct link *links[CHAIN_MAX + 1];
	size_t n = 0;

	for (; way; way = way->from) {
		links[n++] = way;
		if (way->service == service)
			break;
	}
	while (n--)
		strbuf_addf(&text, "%s (%s:%u) -> ", links[n]->service->key,
			    links[n]->service->at.source->name, links[n]->service->key_at.line);
	return error_at(err, &extends->at, "circular reference with extends: %s%s", text.data,
			service->key);
}

static int check_form(const struct node *service, const struct node *extends, struct error *err)
{
	const struct node *name = node_get(extends, "service"), *file = node_get(extends, "file");

	if (extends->kind == NODE_STRING)
		return 0;
	if (extends->kind != NODE_MAPPING)
		return error_at(err, &extends->at,
				"services.%s.extends must be a string or a mapping, not %s",
				service->key, node_kind_name(extends));
	node_foreach(child, extends)
		if (strcmp(child->key, "service") && strcmp(child->key, "file"))
			return error_at(err, &child->key_at,
					"services.%s.extends additional properties '%s' not "
					"allowed: there are `service` and `file`",
					service->key, child->key);
	if (!name || name->kind != NODE_STRING)
		return error_at(err, name ? &name->at : &extends->at,
				"services.%s.extends.service must be the name of a service",
				service->key);
	if (file && file->kind != NODE_STRING)
		return error_at(err, &file->at, "services.%s.extends.file must be a string",
				service->key);
	return 0;
}

/* The base, itself with all that it extends. */
static int find_base(struct extendable *file, const struct node *service,
		     const struct node *extends, const struct link *way, const struct node **ret,
		     struct error *err)
{
	const struct node *name =
		extends->kind == NODE_STRING ? extends : node_get(extends, "service");
	const struct node *other = node_get(extends, "file");
	struct node *base;
	int r = other ? open_file(file, other, &file, err) : 0;

	if (r < 0)
		return r;
	base = node_get(node_get(file->root, "services"), name->text);
	*ret = base ? base : node_get(node_get(file->earlier, "services"), name->text);
	if (!*ret)
		return not_found(file, service, name, err);
	for (const struct link *link = way; base && link; link = link->from)
		if (link->service == base)
			return circular(way, base, extends, err);
	return base && base->kind == NODE_MAPPING ? resolve(file, base, way, err) : 0;
}

static int too_much(const struct node *service, struct error *err)
{
	(void)error_at(err, &service->key_at,
		       "services.%s.extends: too much is extended: more than %d values",
		       service->key, COPIES_MAX);
	err->code = E2BIG;
	return -E2BIG;
}

static int put_on_base(struct loader *l, struct node *service, const struct node *base,
		       struct error *err)
{
	struct node *copy, *over;

	l->copies += node_count(base) + node_count(service);
	if (l->copies > COPIES_MAX)
		return too_much(service, err);
	trace_extends(l, service, base);
	copy = node_copy(base);
	over = node_copy(service);
	node_remove(over, "extends");
	free(TAKE_PTR(over->key));
	merge_service(l, copy, over);
	node_remove(copy, "extends");
	copy->key_at = service->key_at;
	copy->at = service->at;
	copy->tag = service->tag;
	node_replace(service, copy);
	return 0;
}

static int resolve(struct extendable *file, struct node *service, const struct link *from,
		   struct error *err)
{
	struct node *extends = node_get(service, "extends");
	const struct node *base = NULL;
	const struct link way = {from, service, from ? from->length + 1 : 1};
	int r;

	if (!extends || extends->tag == NODE_RESET || extends->kind == NODE_NULL)
		return 0;
	if (way.length > CHAIN_MAX)
		return error_at(err, &extends->at,
				"services.%s.extends: a chain of more than %d services",
				service->key, CHAIN_MAX);
	if (extends->broken)
		return error_set(err, ECANCELED, "services.%s: cannot be extended", service->key);
	r = check_form(service, extends, err);
	if (r >= 0)
		r = find_base(file, service, extends, &way, &base, err);
	if (r >= 0 && base->kind != NODE_MAPPING)
		r = error_at(err, &base->at, "services.%s must be a mapping, not %s", base->key,
			     node_kind_name(base));
	if (r >= 0)
		return put_on_base(file->scope.l, service, base, err);
	extends->broken = true;
	return r;
}

/* It is left as it is, and the other services are looked at. */
static int give_up(struct loader *l, const struct node *service, const struct error *err)
{
	_cleanup_free_ char *path = str_printf("services.%s", service->key);

	map_set(&l->broken, path, DECODER_PARTIAL);
	return err->code == ECANCELED ? 0 : loader_failure(l, err);
}

int extends_apply(struct scope *scope, struct node *document, const struct node *earlier,
		  struct error *err)
{
	struct extendable file = {.scope = *scope, .root = document, .earlier = earlier};
	struct node *services = node_get(document, "services");

	if (!services || services->kind != NODE_MAPPING)
		return 0;
	node_foreach(service, services) {
		int r = service->kind == NODE_MAPPING ? resolve(&file, service, NULL, err) : 0;

		if (r < 0)
			r = give_up(scope->l, service, err);
		if (r < 0)
			return r;
	}
	node_foreach(service, services)
		if (node_get(service, "extends") && node_get(service, "extends")->broken)
			node_remove(service, "extends");
	return 0;
}
