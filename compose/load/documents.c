// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * documents.c - files to one tree: parsed, interpolated, with what they extend and include, and
 * merged in their order. The same for the project's own files, those it includes, and those whose
 * services it extends.
 */
#include "compose/load/documents.h"

#include <errno.h>
#include <string.h>

#include "common/alloc.h"

#include "compose/load/extends.h"
#include "compose/load/files.h"
#include "compose/load/include.h"
#include "compose/load/merge.h"
#include "compose/load/remote.h"
#include "compose/load/trace.h"
#include "compose/load/variables.h"

static int check_document(struct loader *l, struct node *root, struct error *err)
{
	const struct node *version = node_get(root, "version");

	if (root->kind != NODE_MAPPING)
		return error_at(err, &root->at, "Top-level object must be a mapping, not %s",
				node_kind_name(root));
	if (version) {
		loader_warn(l,
			    "%s: the attribute `version` is obsolete, it will be ignored, please "
			    "remove it to avoid potential confusion",
			    root->at.source->path ? root->at.source->path : "-");
		node_remove(root, "version");
	}
	return 0;
}

static int parse_file(struct scope *scope, const char *path, struct yaml_documents *ret,
		      struct error *err)
{
	struct loader *l = scope->l;
	struct source *source = NULL;
	size_t keys = 0;
	int r = files_read(l, path, YAML_SIZE_MAX, &source, err);

	if (r < 0)
		return r;
	source->directory = strv_contains(l->fetched, path) && !scope->parent && !scope->alone
				    ? remote_folder(path)
				    : alloc_string(scope->directory);
	source->variables = scope->variables;
	r = yaml_parse(source, ret, err);
	for (size_t i = 0; r >= 0 && i < ret->count; i++) {
		r = check_document(l, ret->items[i], err);
		keys += ret->items[i]->count;
	}
	if (r >= 0 && !keys)
		r = error_at(err, &(struct position){source, 0, 0}, "empty compose file");
	return r;
}

int documents_parse(struct scope *scope, char *const *files, struct yaml_documents **ret,
		    struct error *err)
{
	struct yaml_documents *documents = new_array(struct yaml_documents, strv_length(files) + 1);
	size_t i = 0;
	int r = 0;

	*ret = documents;
	strv_foreach(file, files) {
		r = parse_file(scope, file, &documents[i++], err);
		/* Who asked for the file says where, if it is not there. */
		if (r < 0 && !scope->alone && (err->where[0] || !scope->parent)) {
			scope->l->incomplete = true;
			yaml_documents_done(&documents[i - 1]);
			r = loader_failure(scope->l, err);
		}
		if (r < 0)
			break;
	}
	return r;
}

void documents_free(struct yaml_documents *documents, char *const *files)
{
	size_t count = documents ? strv_length(files) : 0;

	for (size_t i = 0; i < count; i++)
		yaml_documents_done(&documents[i]);
	free(documents);
}

/* One document on top of what earlier ones gave. Takes @document. */
static int add_document(const struct scope *of, struct node **root, struct node *document,
			struct error *err)
{
	/* Of several files one may be from another place. */
	struct scope own = *of, *scope = &own;
	struct interpolation with = scope_interpolation(scope);
	struct loader *l = scope->l;
	struct traced *said = scope->alone ? NULL : trace_document(l, document);
	int r = 0;

	own.directory = document->at.source->directory;
	if (!l->options->no_interpolate)
		interpolate_tree(&with, document, &l->report);
	if (!scope->alone)
		r = extends_apply(scope, document, *root, err);
	if (r >= 0 && !scope->alone)
		r = include_apply(scope, &document, err);
	trace_applied(l, said);
	if (r < 0) {
		node_free(document);
		return r;
	}
	if (!*root)
		*root = node_new(NODE_MAPPING, &document->at);
	merge_documents(l, *root, document);
	return 0;
}

int documents_merge(struct scope *scope, struct yaml_documents *documents, char *const *files,
		    struct node **ret, struct error *err)
{
	struct node *root = NULL;
	size_t count = strv_length(files);
	int r = 0;

	for (size_t i = 0; i < count && r >= 0; i++)
		for (size_t n = 0; n < documents[i].count && r >= 0; n++)
			r = add_document(scope, &root, TAKE_PTR(documents[i].items[n]), err);
	if (r >= 0 && root)
		merge_strip_resets(root);
	*ret = root;
	return r;
}

int documents_load(struct scope *scope, char *const *files, struct node **ret, struct error *err)
{
	struct yaml_documents *documents = NULL;
	int r = documents_parse(scope, files, &documents, err);

	if (r >= 0)
		r = documents_merge(scope, documents, files, ret, err);
	documents_free(documents, files);
	return r;
}
