// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/load/load.h"

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/load/documents.h"
#include "compose/load/name.h"
#include "compose/load/pipeline.h"
#include "compose/tree/json_node.h"

int load_project(const struct load_options *options, struct project **ret, char **ret_report,
		 struct error *err)
{
	struct loader l = {.options = options};
	int r = pipeline_run(&l, ret_report, err);

	if (r >= 0)
		*ret = TAKE_PTR(l.project);
	pipeline_done(&l);
	return r < 0 ? r : 0;
}

static int find_name(struct loader *l, struct error *err)
{
	struct scope scope;
	struct yaml_documents *documents;
	int r = pipeline_find(l, err);

	if (r >= 0 || l->options->project_name)
		r = name_from_outside(l, err);
	if (r < 0 || l->name)
		return r;
	if (!l->files)
		return error_set(err, ENOENT, "no configuration file provided: not found");
	scope = loader_scope(l);
	r = documents_parse(&scope, l->files, &documents, err);
	if (r >= 0)
		r = name_project(l, documents, strv_length(l->files), err);
	documents_free(documents, l->files);
	return r;
}

int load_project_name(const struct load_options *options, char **ret_name, struct error *err)
{
	struct loader l = {.options = options};
	int r = find_name(&l, err);

	if (r >= 0)
		*ret_name = TAKE_PTR(l.name);
	pipeline_done(&l);
	return r < 0 ? r : 0;
}

int load_model(const struct load_options *options, json_t **ret, struct error *err)
{
	struct loader l = {.options = options};
	int r = pipeline_find(&l, err);

	if (r >= 0 && !l.files)
		r = error_set(err, ENOENT, "no configuration file provided: not found");
	if (r >= 0)
		r = pipeline_read(&l, err);
	if (r >= 0) {
		*ret = node_to_json(l.root);
		json_object_set_new(*ret, "name", json_string(l.name));
	}
	pipeline_done(&l);
	return r < 0 ? r : 0;
}

/* A name may be mentioned often; the first default and the first alternate are told. */
static void add_variable(void *data, const struct interpolate_variable *variable)
{
	json_t *rows = data, *row = NULL, *other;
	size_t i;

	json_array_foreach(rows, i, other)
		if (str_equal(json_get_string(other, "name"), variable->name))
			row = other;
	if (!row) {
		row = json_pack("{s:s, s:b, s:s, s:s}", "name", variable->name, "required", 0,
				"default", "", "alternate", "");
		json_array_append_new(rows, row);
	}
	if (variable->required)
		json_put_bool(row, "required", true);
	if (variable->fallback && !*json_get_string(row, "default"))
		json_put_string(row, "default", variable->fallback);
	if (variable->alternate && !*json_get_string(row, "alternate"))
		json_put_string(row, "alternate", variable->alternate);
}

int load_variables(const struct load_options *options, json_t **ret, struct error *err)
{
	struct load_options plain = *options;
	struct loader l = {.options = &plain};
	int r;

	plain.no_interpolate = true;
	r = pipeline_find(&l, err);
	if (r >= 0 && !l.files)
		r = error_set(err, ENOENT, "no configuration file provided: not found");
	if (r >= 0)
		r = pipeline_read(&l, err);
	if (r >= 0) {
		*ret = json_array();
		interpolate_mentions(l.root, add_variable, *ret);
	}
	pipeline_done(&l);
	return r < 0 ? r : 0;
}
