// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/command.h"
#include "compose/cli/config/config_json.h"
#include "compose/cli/config/config_lists.h"
#include "compose/cli/image/image_digests.h"
#include "compose/cli/view/output.h"
#include "compose/load/explain.h"
#include "compose/model/emit.h"

static bool quiet, services, volumes, networks, images, models, profiles, variables, environment;
static bool no_interpolate, no_normalize, no_path_resolution, no_env_resolution, no_consistency;
static bool resolve_digests, lock_digests;
static const char *format, *output, *hash, *explain;

static const struct option options[] = {
	{"environment", 0, OPTION_FLAG, &environment, NULL,
	 "Show the variables that ${...} is filled from"},
	{"explain", 0, OPTION_STRING, &explain, "path",
	 "Who set a value (services.web.ports): each file and line, and the variables in it"},
	{"format", 0, OPTION_STRING, &format, "string", "yaml (default) or json"},
	{"hash", 0, OPTION_STRING, &hash, "string",
	 "Show the hash by which changes are noticed, of SERVICE or of all (*)"},
	{"images", 0, OPTION_FLAG, &images, NULL, "Names of images only"},
	{"lock-image-digests", 0, OPTION_FLAG, &lock_digests, NULL,
	 "An override file that pins each image to what its tag means now"},
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
	{"resolve-image-digests", 0, OPTION_FLAG, &resolve_digests, NULL,
	 "Pin images to what their tags mean now"},
	{"services", 0, OPTION_FLAG, &services, NULL, "Names of services only"},
	{"variables", 0, OPTION_FLAG, &variables, NULL,
	 "Variables that the files mention, with their defaults"},
	{"volumes", 0, OPTION_FLAG, &volumes, NULL, "Names of volumes only"},
	{NULL},
};

static int write_config(const json_t *json, bool variables_left, struct error *err)
{
	_cleanup_fclose_ FILE *file = output ? fopen(output, "we") : NULL;
	FILE *out = file ? file : stdout;
	bool as_json = format && !strcmp(format, "json");
	int r;

	if (output && !file)
		return error_errno(err, "open %s", output);
	if (variables_left)
		r = as_json ? config_render_model_json(json, out)
			    : config_render_value_yaml(json, out);
	else
		r = as_json ? config_render_json(json, out) : config_render_yaml(json, out);
	if (r >= 0 && fflush(out) != 0)
		r = -errno;
	return r < 0 ? error_code(err, r, "write %s", output ? output : "the configuration") : 0;
}

static int print_config(const struct project *project, struct error *err)
{
	static json_t *json; /* as with the project */

	/* Being loaded is all that was asked for. */
	if (quiet && !resolve_digests && !lock_digests)
		return 0;
	json = project_to_json(project, false);
	if (resolve_digests || lock_digests) {
		int r = image_digests_pin(json, err);

		if (r < 0)
			return r;
	}
	if (lock_digests)
		image_digests_only(json, false);
	if (quiet)
		return 0;
	if (format && !strcmp(format, "json"))
		config_json_forms(json);
	return write_config(json, false, err);
}

static int print_draft_services(const json_t *model)
{
	const char *name;
	json_t *service;

	json_object_foreach(json_object_get(model, "services"), name, service)
		puts(name);
	return 0;
}

/* Without interpolation values need not be of any form: the merged files, and no project. */
static int print_draft(const struct load_options *load, struct project_args *args,
		       struct error *err)
{
	_cleanup_json_ json_t *json = NULL;
	int r = load_model(load, &json, &args->report, err);

	if (r >= 0 && (resolve_digests || lock_digests))
		r = image_digests_pin(json, err);
	if (r < 0)
		return r;
	if (lock_digests)
		image_digests_only(json, true);
	if (services)
		return print_draft_services(json);
	return quiet ? 0 : write_config(json, true, err);
}

static int print_variables(const struct load_options *load, struct project_args *args,
			   struct error *err)
{
	_cleanup_json_ json_t *rows = NULL;
	int r = load_variables(load, &rows, &args->report, err);

	return r < 0 || quiet ? r : config_print_variables(rows, format, err);
}

static int print_environment(const struct load_options *load, struct project_args *args,
			     struct error *err)
{
	_cleanup_strv_ char **list = NULL;
	int r = load_environment(load, &list, &args->report, err);

	strv_foreach(entry, quiet ? NULL : list)
		puts(entry);
	return r;
}

static int print_explanation(const struct load_options *load, struct project_args *args,
			     struct error *err)
{
	_cleanup_free_ char *text = NULL;
	int r = load_explain(load, explain, &text, &args->report, err);

	if (r >= 0 && !quiet)
		fputs(text, stdout);
	return r;
}

static int print(const struct project *project, struct error *err)
{
	if (hash)
		return quiet ? 0 : config_print_hashes(project, hash, err);
	if (quiet && (services || volumes || networks || models || profiles || images))
		return 0;
	if (services)
		config_print_services(project);
	else if (volumes)
		config_print_volumes(project);
	else if (networks)
		config_print_networks(project);
	else if (models)
		config_print_models(project);
	else if (profiles)
		config_print_profiles(project);
	else if (images)
		config_print_images(project);
	else
		return print_config(project, err);
	return 0;
}

/* Lists of names are of the whole project, whatever is named behind them. */
static bool is_of_whole_project(void)
{
	return services || volumes || networks || models || hash;
}

static void fill_in(struct project_args *args, char **names, struct load_options *load)
{
	static char *every_profile[] = {(char *)"*", NULL};

	project_args_load_options(args, load);
	load->services = names[0] && !is_of_whole_project() ? names : NULL;
	load->with_dependencies = true;
	load->no_interpolate = no_interpolate;
	load->no_normalize = no_normalize || args->compatibility;
	load->no_path_resolution = no_path_resolution;
	load->no_env_resolution = no_env_resolution || is_of_whole_project() || profiles || images;
	load->no_consistency = no_consistency;
	load->unset_sources = true;
	if (profiles)
		load->profiles = every_profile;
}

static int check(struct error *err)
{
	if (format && strcmp(format, "json") != 0 && strcmp(format, "yaml") != 0)
		return error_set(err, EINVAL, "unsupported format \"%s\": there are yaml and json",
				 format);
	return 0;
}

static int print_project(const struct load_options *load, struct project_args *args,
			 struct error *err)
{
	/* Static: it is needed to the end, and a tenth of the time would go to taking it apart. */
	static struct project *project;
	int r = load_project(load, &project, &args->report, err);

	return r < 0 ? r : print(project, err);
}

static bool is_draft(void)
{
	return no_interpolate && !volumes && !networks && !profiles && !images && !hash && !models;
}

static int run(struct project_args *args, int argc, char **argv)
{
	struct error err = ERROR_INIT;
	struct load_options load;
	int r = check(&err);

	fill_in(args, argv, &load);
	if (r >= 0 && variables)
		r = print_variables(&load, args, &err);
	else if (r >= 0 && environment)
		r = print_environment(&load, args, &err);
	else if (r >= 0 && explain)
		r = print_explanation(&load, args, &err);
	else if (r >= 0 && is_draft())
		r = print_draft(&load, args, &err);
	else if (r >= 0)
		r = print_project(&load, args, &err);
	return r < 0 ? output_fail(args, &err) : 0;
}

const struct command command_config = {
	.name = "config",
	.aliases = "convert",
	.operands = "[OPTIONS] [SERVICE...]",
	.summary = "Show the project as berth understands it",
	.options = options,
	.max_operands = -1,
	.outside = true,
	.run = run,
};
