// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/config/config_lists.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/view/output.h"
#include "compose/model/emit.h"

static const char *const variable_columns[] = {
	"NAME",      "name", "REQUIRED", "required", "DEFAULT VALUE", "default", "ALTERNATE VALUE",
	"alternate", NULL,
};

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void config_print_services(const struct project *project)
{
	for (size_t i = 0; i < project->service_count; i++)
		puts(project->services[i].name);
}

void config_print_volumes(const struct project *project)
{
	for (size_t i = 0; i < project->volume_count; i++)
		puts(project->volumes[i].key);
}

void config_print_networks(const struct project *project)
{
	for (size_t i = 0; i < project->network_count; i++)
		puts(project->networks[i].key);
}

void config_print_models(const struct project *project)
{
	for (size_t i = 0; i < project->model_count; i++)
		if (project->models[i].model && *project->models[i].model)
			puts(project->models[i].model);
}

void config_print_profiles(const struct project *project)
{
	_cleanup_strv_ char **seen = NULL;

	for (size_t i = 0; i < project->service_count; i++)
		strv_foreach(profile, project->services[i].profiles) {
			if (!strv_contains(seen, profile))
				strv_append(&seen, profile);
		}
	if (seen)
		qsort(seen, strv_length(seen), sizeof(*seen), compare);
	strv_foreach(name, seen)
		puts(name);
}

void config_print_images(const struct project *project)
{
	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];

		if (service->image)
			puts(service->image);
		else
			printf("%s-%s\n", project->name, service->name);
	}
}

int config_print_hashes(const struct project *project, const char *wanted, struct error *err)
{
	_cleanup_strv_ char **names = strcmp(wanted, "*") ? strv_split(wanted, ",") : NULL;
	char hex[65];

	strv_foreach(name, names)
		if (!project_service(project, name))
			return project_no_such_service(project, name, err);
	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];

		if (names && !strv_contains(names, service->name))
			continue;
		service_hash(project, service, hex);
		printf("%s %s\n", service->name, hex);
	}
	return 0;
}

/* docker compose prints its own struct, in whose fields' order these stand. */
static json_t *by_name(const json_t *rows, const char *const *keys)
{
	static const char *const fields[] = {"name", "default", "alternate", "required"};
	json_t *result = json_object(), *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		json_t *variable = json_object();

		for (size_t n = 0; n < ARRAY_SIZE(fields); n++)
			json_object_set(variable, keys[n], json_object_get(row, fields[n]));
		json_object_set_new(result, json_get_string(row, "name"), variable);
	}
	return result;
}

int config_print_variables(const json_t *rows, const char *format, struct error *err)
{
	static const char *const json_keys[] = {"Name", "DefaultValue", "PresenceValue",
						"Required"};
	static const char *const yaml_keys[] = {"name", "defaultvalue", "presencevalue",
						"required"};
	_cleanup_json_ json_t *json = NULL;
	int r;

	if (!format)
		return output_rows(rows, NULL, variable_columns, OUTPUT_ARRAY, err);
	json = by_name(rows, !strcmp(format, "json") ? json_keys : yaml_keys);
	r = !strcmp(format, "json") ? config_render_model_json(json, stdout)
				    : config_render_value_yaml(json, stdout);
	return r < 0 ? error_code(err, r, "write the variables") : 0;
}
