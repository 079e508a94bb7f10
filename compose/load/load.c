// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/load/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/load/documents.h"
#include "compose/load/draft.h"
#include "compose/load/loader.h"
#include "compose/load/name.h"
#include "compose/load/pipeline.h"

/* What is built for other platforms alone cannot be started, but stopped. */
static int take_default_platform(struct loader *l, struct error *err)
{
	const char *platform = loader_variable(l, "DOCKER_DEFAULT_PLATFORM");

	for (size_t i = 0; platform && *platform && i < l->project->service_count; i++) {
		struct service *service = &l->project->services[i];
		char *const *built = service->build.platforms;

		if ((service->platform && *service->platform) || service->provider.given)
			continue;
		if (!built || strv_contains(built, platform)) {
			free(service->platform);
			service->platform = alloc_string(platform);
		} else if (!l->options->unset_sources) {
			return error_at(
				err,
				loader_at(l, "services", service->name, "build", "platforms", NULL),
				"service \"%s\": build.platforms does not have %s, which "
				"DOCKER_DEFAULT_PLATFORM asks for",
				service->name, platform);
		}
	}
	return 0;
}

int load_project(const struct load_options *options, struct project **ret, char **ret_report,
		 struct error *err)
{
	struct loader l = {.options = options};
	int r = pipeline_run(&l, ret_report, err);

	if (r >= 0 && options->default_platform)
		r = take_default_platform(&l, err);
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
		r = report_result(&l->report, err);
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

static void say_nothing(void *data, const char *message)
{
}

bool load_finds_files(const struct load_options *options)
{
	struct load_options quiet = *options;
	struct loader l = {.options = &quiet};
	struct error err = ERROR_INIT;
	bool found;

	/* Whoever loads them says what is to be said. */
	quiet.warn = say_nothing;
	found = pipeline_find(&l, &err) < 0 || l.files;
	pipeline_done(&l);
	return found;
}

/* Up to the merged files, whose variables stay as they are. */
static int read_files(struct loader *l, char **ret_report, struct error *err)
{
	int r = pipeline_find(l, err);

	if (r >= 0 && !l->files)
		r = error_set(err, ENOENT, "no configuration file provided: not found");
	if (r >= 0)
		r = pipeline_read(l, err);
	if (ret_report)
		*ret_report = r < 0 ? pipeline_report(l, err) : NULL;
	return r;
}

int load_model(const struct load_options *options, json_t **ret, char **ret_report,
	       struct error *err)
{
	struct load_options plain = *options;
	struct loader l = {.options = &plain};
	int r;

	plain.no_interpolate = true;
	r = read_files(&l, ret_report, err);
	if (r >= 0)
		*ret = draft_model(&l);
	pipeline_done(&l);
	return r < 0 ? r : 0;
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int load_environment(const struct load_options *options, char ***ret, char **ret_report,
		     struct error *err)
{
	struct loader l = {.options = options};
	int r = pipeline_run(&l, ret_report, err);
	size_t count = 0;

	*ret = NULL;
	if (r >= 0) {
		map_foreach(entry, &l.variables)
			*array_add(*ret, count) =
				str_printf("%s=%s", entry->key, (const char *)entry->value);
		qsort(*ret, count, sizeof(**ret), compare_entries);
		*array_add(*ret, count) = NULL;
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

static int compare_rows(const void *a, const void *b)
{
	return strcmp(json_get_string(*(json_t *const *)a, "name"),
		      json_get_string(*(json_t *const *)b, "name"));
}

static json_t *sort_rows(json_t *rows)
{
	size_t count = json_array_size(rows);
	_cleanup_free_ json_t **list = new_array(json_t *, count + 1);
	json_t *sorted = json_array();

	for (size_t i = 0; i < count; i++)
		list[i] = json_array_get(rows, i);
	qsort(list, count, sizeof(json_t *), compare_rows);
	for (size_t i = 0; i < count; i++)
		json_array_append(sorted, list[i]);
	json_decref(rows);
	return sorted;
}

int load_variables(const struct load_options *options, json_t **ret, char **ret_report,
		   struct error *err)
{
	struct load_options plain = *options;
	struct loader l = {.options = &plain};
	int r;

	plain.no_interpolate = true;
	r = read_files(&l, ret_report, err);
	if (r >= 0) {
		*ret = json_array();
		interpolate_mentions(l.root, add_variable, *ret);
		*ret = sort_rows(*ret);
	}
	pipeline_done(&l);
	return r < 0 ? r : 0;
}
