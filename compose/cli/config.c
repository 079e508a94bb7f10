// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/command.h"
#include "compose/cli/output.h"
#include "compose/cli/project_args.h"
#include "compose/model/emit.h"

static bool quiet, services, volumes, networks, images, models, profiles, variables, environment;
static bool no_interpolate, no_normalize, no_path_resolution, no_env_resolution, no_consistency;
static bool resolve_digests, lock_digests;
static const char *format, *output, *hash;

static const struct option options[] = {
	{"environment", 0, OPTION_FLAG, &environment, NULL,
	 "Show the variables that ${...} is filled from"},
	{"format", 0, OPTION_STRING, &format, "string", "yaml (default) or json"},
	{"hash", 0, OPTION_STRING, &hash, "string",
	 "Show the hash by which changes are noticed, of SERVICE or of all (*)"},
	{"images", 0, OPTION_FLAG, &images, NULL, "Names of images only"},
	{"lock-image-digests", 0, OPTION_FLAG, &lock_digests, NULL, NULL},
	{"models", 0, OPTION_FLAG, &models, NULL, "Names of models only"},
	{"networks", 0, OPTION_FLAG, &networks, NULL, "Names of networks only"},
	{"no-consistency", 0, OPTION_FLAG, &no_consistency, NULL,
	 "Skip the checks across the file: the result may not be usable"},
	{"no-env-resolution", 0, OPTION_FLAG, &no_env_resolution, NULL,
	 "Leave env_file as it is written"},
	{"no-interpolate", 0, OPTION_FLAG, &no_interpolate, NULL, "Leave ${...} as it is written"},
	{"no-normalize", 0, OPTION_FLAG, &no_normalize, NULL,
	 "Leave out what follows from the rest (default network, implied dependencies)"},
	{"no-path-resolution", 0, OPTION_FLAG, &no_path_resolution, NULL,
	 "Leave paths as they are written"},
	{"output", 'o', OPTION_STRING, &output, "string", "Write to this file"},
	{"profiles", 0, OPTION_FLAG, &profiles, NULL, "Names of profiles only"},
	{"quiet", 'q', OPTION_FLAG, &quiet, NULL, "Check the file and print nothing"},
	{"resolve-image-digests", 0, OPTION_FLAG, &resolve_digests, NULL, NULL},
	{"services", 0, OPTION_FLAG, &services, NULL, "Names of services only"},
	{"variables", 0, OPTION_FLAG, &variables, NULL,
	 "Variables that the files mention, with their defaults"},
	{"volumes", 0, OPTION_FLAG, &volumes, NULL, "Names of volumes only"},
	{NULL},
};

static const char *const variable_columns[] = {
	"NAME",      "name", "REQUIRED", "required", "DEFAULT VALUE", "default", "ALTERNATE VALUE",
	"alternate", NULL,
};

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_sorted(char **list)
{
	if (list)
		qsort(list, strv_length(list), sizeof(*list), compare);
	strv_foreach(name, list)
		puts(name);
}

static void print_profiles(const struct project *project)
{
	_cleanup_strv_ char **seen = NULL;

	for (size_t i = 0; i < project->service_count; i++)
		strv_foreach(profile, project->services[i].profiles) {
			if (!strv_contains(seen, profile))
				strv_append(&seen, profile);
		}
	print_sorted(seen);
}

static void print_names(const struct project *project)
{
	_cleanup_strv_ char **names = NULL;

	for (size_t i = 0; services && i < project->service_count; i++)
		strv_append(&names, project->services[i].name);
	for (size_t i = 0; networks && i < project->network_count; i++)
		strv_append(&names, project->networks[i].key);
	for (size_t i = 0; volumes && i < project->volume_count; i++)
		strv_append(&names, project->volumes[i].key);
	print_sorted(names);
}

static void print_images(const struct project *project)
{
	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];

		if (service->image)
			puts(service->image);
		else
			printf("%s-%s\n", project->name, service->name);
	}
}

static int print_hashes(const struct project *project, struct error *err)
{
	_cleanup_strv_ char **wanted = strcmp(hash, "*") ? strv_split(hash, ",") : NULL;
	char hex[65];

	strv_foreach(name, wanted) {
		if (!project_service(project, name))
			return error_set(err, ENOENT, "no such service: %s", name);
	}
	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];

		if (wanted && !strv_contains(wanted, service->name))
			continue;
		service_hash(project, service, hex);
		printf("%s %s\n", service->name, hex);
	}
	return 0;
}

static int print_variables(const struct load_options *load, struct error *err)
{
	_cleanup_json_ json_t *rows = NULL;
	int r = load_variables(load, &rows, err);

	if (r < 0)
		return r;
	return output_rows(rows, format && !strcmp(format, "json") ? "json" : NULL,
			   variable_columns, OUTPUT_ARRAY, err);
}

static void print_environment(void)
{
	_cleanup_strv_ char **list = strv_dup(environ);

	print_sorted(list);
}

static int write_config(const json_t *json, struct error *err)
{
	_cleanup_fclose_ FILE *file = output ? fopen(output, "we") : NULL;
	FILE *out = file ? file : stdout;
	bool as_json = format && !strcmp(format, "json");
	int r;

	if (output && !file)
		return error_errno(err, "open %s", output);
	if (no_interpolate)
		r = as_json ? config_render_model_json(json, out)
			    : config_render_model_yaml(json, out);
	else
		r = as_json ? config_render_json(json, out) : config_render_yaml(json, out);
	if (r >= 0 && fflush(out) != 0)
		r = -errno;
	return r < 0 ? error_code(err, r, "write %s", output ? output : "the configuration") : 0;
}

static int print_config(const struct project *project, struct error *err)
{
	_cleanup_json_ json_t *json = project_to_json(project, false);

	return write_config(json, err);
}

/* Without interpolation values need not be of any form: the merged files, and no project. */
static int print_model(const struct load_options *load, struct error *err)
{
	_cleanup_json_ json_t *json = NULL;
	int r = load_model(load, &json, err);

	return r < 0 || quiet ? r : write_config(json, err);
}

static int print(const struct project *project, struct error *err)
{
	if (quiet)
		return 0;
	if (services || networks || volumes)
		print_names(project);
	else if (profiles)
		print_profiles(project);
	else if (images)
		print_images(project);
	else if (hash)
		return print_hashes(project, err);
	else if (!models)
		return print_config(project, err);
	return 0;
}

static void fill_in(struct project_args *args, char **names, struct load_options *load)
{
	project_args_load_options(args, load);
	load->services = names[0] ? names : NULL;
	load->with_dependencies = true;
	load->no_interpolate = no_interpolate;
	load->no_normalize = no_normalize;
	load->no_path_resolution = no_path_resolution;
	load->no_env_resolution = no_env_resolution;
	load->no_consistency = no_consistency;
}

static int run(struct project_args *args, int argc, char **argv)
{
	char *const every_profile[] = {"*", NULL};
	struct project *project = NULL;
	struct error err = ERROR_INIT;
	struct load_options load;
	int r;

	if (format && strcmp(format, "json") != 0 && strcmp(format, "yaml") != 0) {
		error_set(&err, EINVAL, "unsupported format \"%s\"", format);
		return output_fail(args, &err);
	}
	if (environment) {
		print_environment();
		return 0;
	}
	fill_in(args, argv, &load);
	if (variables)
		return print_variables(&load, &err) < 0 ? output_fail(args, &err) : 0;
	if (no_interpolate && !services && !networks && !volumes && !profiles && !images && !hash &&
	    !models)
		return print_model(&load, &err) < 0 ? output_fail(args, &err) : 0;
	if (profiles)
		load.profiles = every_profile;
	r = load_project(&load, &project, &args->report, &err);
	if (r >= 0)
		r = print(project, &err);
	project_free(project);
	return r < 0 ? output_fail(args, &err) : 0;
}

const struct command command_config = {
	.name = "config",
	.aliases = "convert",
	.operands = "[OPTIONS] [SERVICE...]",
	.summary = "Show the project as berth understands it",
	.options = options,
	.max_operands = -1,
	.run = run,
};
