// SPDX-License-Identifier: GPL-2.0-or-later
/* pipeline.c - from the user's files to a project; read it from run() upward. */
#include "compose/load/pipeline.h"

#include <errno.h>
#include <string.h>

#include "common/alloc.h"
#include "common/path.h"

#include "compose/load/check/check.h"
#include "compose/load/discovery.h"
#include "compose/load/documents.h"
#include "compose/load/environment.h"
#include "compose/load/extends.h"
#include "compose/load/name.h"
#include "compose/load/normalize.h"
#include "compose/load/select.h"
#include "compose/load/variables.h"
#include "compose/model/shapes.h"

void pipeline_done(struct loader *l)
{
	project_free(l->project);
	node_free(l->root);
	for (size_t i = 0; i < l->source_count; i++)
		source_free(l->sources[i]);
	free(l->sources);
	for (size_t i = 0; i < l->scope_count; i++) {
		map_done(l->scopes[i], free);
		free(l->scopes[i]);
	}
	free(l->scopes);
	map_done(&l->extended, extendable_free);
	map_done(&l->variables, free);
	map_done(&l->warned, NULL);
	map_done(&l->broken, NULL);
	free(l->working_dir);
	free(l->directory);
	strv_free(l->files);
	strv_free(l->fetched);
	strv_free(l->env_files);
	free(l->name);
	report_done(&l->report);
}

static int find_name(struct loader *l, const struct yaml_documents *documents, struct error *err)
{
	size_t count = strv_length(l->files);
	int r = name_project(l, documents, count, err);

	if (r >= 0 || !err->where[0])
		return r;
	for (size_t i = 0; i < count; i++)
		for (size_t n = 0; n < documents[i].count; n++)
			if (node_get(documents[i].items[n], "name"))
				node_get(documents[i].items[n], "name")->broken = true;
	if (!l->name)
		l->name = alloc_string("project");
	return loader_failure(l, err);
}

/* Fails only where it makes no sense to go on; what else is wrong stands in the report. */
static int read_tree(struct loader *l, struct error *err)
{
	struct scope scope = loader_scope(l);
	struct yaml_documents *documents = NULL;
	int r = documents_parse(&scope, l->files, &documents, err);

	if (r >= 0)
		r = find_name(l, documents, err);
	if (r >= 0)
		r = documents_merge(&scope, documents, l->files, &l->root, err);
	documents_free(documents, l->files);
	return r;
}

int pipeline_read(struct loader *l, struct error *err)
{
	int r = read_tree(l, err);

	return r < 0 ? r : report_result(&l->report, err);
}

static char *resolve(void *data, const struct position *at, const char *path)
{
	const struct loader *l = data;
	const char *base =
		at->source && at->source->directory ? at->source->directory : l->directory;

	/* What is absolute is printed as it was written. */
	return *path == '/' ? alloc_string(path) : loader_path(l, base, path);
}

static void decode_tree(struct loader *l)
{
	struct decoder decoder = {
		.report = &l->report,
		.warn = l->options->warn,
		.no_unheeded = l->options->no_unheeded,
		.warn_data = l->options->warn_data,
		.told = &l->warned,
		.resolve = l->options->no_path_resolution ? NULL : resolve,
		.resolve_data = l,
		.broken = &l->broken,
	};

	l->project = project_new();
	decode_object(&decoder, l->root, &project_schema, l->project);
	free(l->project->name);
	l->project->name = alloc_string(l->name);
	l->project->working_dir = alloc_string(l->directory);
	l->project->config_files = strv_dup(l->files);
	l->project->env_files = strv_dup(l->env_files);
}

static void check(struct loader *l)
{
	if (!l->options->no_normalize)
		normalize_project(l);
	if (!l->options->no_consistency)
		check_project(l);
}

int pipeline_find(struct loader *l, struct error *err)
{
	l->load_files = documents_load;
	l->working_dir = path_clean(l->options->working_dir);
	variables_from_environment(l);
	return discovery_run(l, err);
}

static int run(struct loader *l, struct error *err)
{
	int r = pipeline_find(l, err);

	if (r < 0)
		return r;
	if (!l->files)
		return error_set(err, ENOENT, "no configuration file provided: not found");
	r = read_tree(l, err);
	if (r < 0)
		return r;
	if (l->root) {
		decode_tree(l);
		check(l);
	}
	r = report_result(&l->report, err);
	if (r >= 0)
		r = select_services(l, err);
	if (r >= 0 && !l->options->no_env_resolution)
		r = environment_resolve(l, err);
	return r;
}

char *pipeline_report(struct loader *l, const struct error *err)
{
	struct position at = loader_position(l, err->where);

	report_error(&l->report, &at, err);
	return report_text(&l->report);
}

int pipeline_run(struct loader *l, char **ret_report, struct error *err)
{
	int r = run(l, err);

	if (ret_report)
		*ret_report = r < 0 ? pipeline_report(l, err) : NULL;
	return r;
}
