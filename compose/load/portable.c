// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/load/portable.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/path.h"
#include "common/sha256.h"

#include "compose/load/files.h"
#include "compose/load/pipeline.h"
#include "compose/load/variables.h"
#include "compose/tree/yaml.h"

/* A piece of a text, and what stands there afterwards. */
struct change {
	size_t offset, size;
	char *name;
};

struct rewriting {
	struct loader *l;
	struct portable *all;
	const struct source *source;
	const char *directory; /* where its paths start */
	struct change *changes;
	size_t count;
};

void portable_done(struct portable *portable)
{
	for (size_t i = 0; i < portable->count; i++) {
		free(portable->files[i].path);
		free(portable->files[i].name);
		free(portable->files[i].text);
	}
	free(portable->files);
	*portable = (struct portable){0};
}

static struct portable_file *add_file(struct portable *all, enum portable_kind kind,
				      const char *path, const char *name)
{
	struct portable_file *file = array_add(all->files, all->count);

	file->kind = kind;
	file->path = alloc_string(path);
	file->name = alloc_string(name);
	return file;
}

/* Under which it travels; the file is put on the list when it is met first. */
static char *name_of(struct portable *all, enum portable_kind kind, const char *path)
{
	char hex[SHA256_HEX_SIZE];
	_cleanup_free_ char *name = NULL;

	for (size_t i = 0; i < all->count; i++)
		if (all->files[i].kind == kind && !strcmp(all->files[i].path, path))
			return alloc_string(all->files[i].name);
	sha256_of(path, strlen(path), hex);
	name = str_printf("%s.%s", hex, kind == PORTABLE_ENVIRONMENT ? "env" : "yaml");
	add_file(all, kind, path, name);
	return TAKE_PTR(name);
}

/* Where a position is in the text; its column counts characters. */
static size_t offset_of(const struct source *source, const struct position *at)
{
	const char *p = source->text;

	for (uint32_t line = 1; line < at->line && p; line++)
		p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL;
	for (uint32_t column = 1; p && *p && column < at->column; column++)
		for (p++; (*p & 0xc0) == 0x80;)
			p++;
	return p ? (size_t)(p - source->text) : source->size;
}

/* The length of the scalar that begins at @text and means @value; 0: it is written otherwise. */
static size_t scalar_length(const char *text, const char *value)
{
	size_t length = strlen(value);

	if (*text != '"' && *text != '\'')
		return strncmp(text, value, length) ? 0 : length;
	return strncmp(text + 1, value, length) || text[length + 1] != *text ? 0 : length + 2;
}

/* Takes @name. */
static int change_scalar(struct rewriting *rewriting, const struct node *node, char *name,
			 struct error *err)
{
	size_t offset = offset_of(rewriting->source, &node->at);
	size_t size = scalar_length(rewriting->source->text + offset, node->text);

	/* What an alias repeats stands there once. */
	for (size_t i = 0; i < rewriting->count; i++) {
		if (rewriting->changes[i].offset != offset)
			continue;
		free(name);
		return 0;
	}
	if (!size) {
		free(name);
		return error_at(err, &node->at,
				"a file's name that is to be published has to stand on one line, "
				"without a tag, an anchor or escapes");
	}
	*array_add(rewriting->changes, rewriting->count) =
		(struct change){.offset = offset, .size = size, .name = name};
	return 0;
}

/* The file that @node names becomes one that travels as well, unless it lies elsewhere anyway. */
static int take_along(struct rewriting *rewriting, const struct node *node, enum portable_kind kind,
		      bool required, struct error *err)
{
	struct loader *l = rewriting->l;
	struct interpolation with = variables_interpolation(l);
	_cleanup_free_ char *value = NULL, *path = NULL;

	if (node->kind != NODE_STRING)
		return error_at(err, &node->at, "the name of a file is wanted");
	if (interpolate_text(&with, node->text, "name", &value, err) < 0)
		return error_at(err, &node->at, "%s", err->message);
	if (build_context_is_remote(value) || strstr(value, "://"))
		return 0;
	path = loader_path(l, rewriting->directory, value);
	if (access(path, R_OK) < 0 && errno == ENOENT && !required)
		return 0;
	return change_scalar(rewriting, node, name_of(rewriting->all, kind, path), err);
}

static int env_file(struct rewriting *rewriting, const struct node *node, struct error *err)
{
	const struct node *path = node_get(node, "path"), *required = node_get(node, "required");
	bool needed = !required || required->kind != NODE_BOOL || required->boolean;

	if (node->kind == NODE_MAPPING && !path)
		return 0;
	return take_along(rewriting, path ? path : node, PORTABLE_ENVIRONMENT, needed, err);
}

static int service(struct rewriting *rewriting, const struct node *node, struct error *err)
{
	const struct node *files = node_get(node, "env_file");
	const struct node *extended = node_get(node_get(node, "extends"), "file");
	int r = 0;

	if (extended)
		r = take_along(rewriting, extended, PORTABLE_EXTENDED, true, err);
	if (r >= 0 && files && files->kind != NODE_SEQUENCE && files->kind != NODE_NULL)
		return env_file(rewriting, files, err);
	node_foreach(file, files)
		if (r >= 0)
			r = env_file(rewriting, file, err);
	return r;
}

static int refuse_local(struct rewriting *rewriting, const struct node *node, struct error *err)
{
	const struct node *path = node->kind == NODE_MAPPING ? node_get(node, "path") : node;

	if (!path || (path->kind == NODE_STRING && strstr(path->text, "://")))
		return 0;
	return error_at(err, &path->at,
			"a project that includes a file cannot be published: name both with -f, or "
			"publish the other one and include oci://...");
}

static int document(struct rewriting *rewriting, const struct node *root, struct error *err)
{
	const struct node *services = node_get(root, "services");
	const struct node *include = node_get(root, "include");
	int r = 0;

	node_foreach(node, include)
		if (r >= 0)
			r = refuse_local(rewriting, node, err);
	node_foreach(node, services)
		if (r >= 0)
			r = service(rewriting, node, err);
	return r;
}

static int compare_changes(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void apply(struct rewriting *rewriting, struct portable_file *file)
{
	struct strbuf text = {0};
	size_t done = 0;

	if (rewriting->count)
		qsort(rewriting->changes, rewriting->count, sizeof(struct change), compare_changes);
	for (size_t i = 0; i < rewriting->count; i++) {
		const struct change *change = &rewriting->changes[i];

		strbuf_add_n(&text, rewriting->source->text + done, change->offset - done);
		strbuf_add(&text, change->name);
		done = change->offset + change->size;
	}
	strbuf_add_n(&text, rewriting->source->text + done, rewriting->source->size - done);
	file->size = text.length;
	file->text = strbuf_take(&text);
}

static void rewriting_done(struct rewriting *rewriting)
{
	for (size_t i = 0; i < rewriting->count; i++)
		free(rewriting->changes[i].name);
	free(rewriting->changes);
}

/* File number @i of the list, which grows by what it names. */
static int rewrite(struct loader *l, struct portable *all, size_t i, struct error *err)
{
	bool own = all->files[i].kind == PORTABLE_COMPOSE;
	const char *path = all->files[i].path;
	_cleanup_free_ char *parent = alloc_string_n(path, (size_t)(path_last(path) - path));
	struct rewriting rewriting = {.l = l, .all = all, .directory = own ? l->directory : parent};
	struct yaml_documents documents = {0};
	struct source *source = NULL;
	int r = files_read(l, path, YAML_SIZE_MAX, &source, err);

	if (r < 0)
		return r;
	rewriting.source = source;
	if (all->files[i].kind != PORTABLE_ENVIRONMENT)
		r = yaml_parse(source, &documents, err);
	for (size_t n = 0; r >= 0 && n < documents.count; n++)
		r = document(&rewriting, documents.items[n], err);
	if (r >= 0)
		apply(&rewriting, &all->files[i]);
	yaml_documents_done(&documents);
	rewriting_done(&rewriting);
	return r;
}

static int gather(struct loader *l, struct portable *all, struct error *err)
{
	int r = pipeline_find(l, err);

	if (r >= 0 && !l->files)
		r = error_set(err, ENOENT, "no configuration file provided: not found");
	if (r < 0)
		return r;
	strv_foreach(path, l->files) {
		if (!strcmp(path, "-"))
			return error_set(err, EINVAL,
					 "what comes on standard input cannot be published: it "
					 "takes a file");
		add_file(all, PORTABLE_COMPOSE, path, path_last(path));
	}
	for (size_t i = 0; r >= 0 && i < all->count; i++)
		r = rewrite(l, all, i, err);
	return r;
}

int load_portable(const struct load_options *options, struct portable *ret, char **ret_report,
		  struct error *err)
{
	struct loader l = {.options = options};
	int r;

	*ret = (struct portable){0};
	r = gather(&l, ret, err);
	if (ret_report)
		*ret_report = r < 0 ? pipeline_report(&l, err) : NULL;
	pipeline_done(&l);
	return r < 0 ? r : 0;
}
