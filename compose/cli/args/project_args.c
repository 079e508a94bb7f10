// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/args/project_args.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/str.h"

#include "compose/cli/remote/remote_files.h"
#include "compose/cli/view/output.h"
#include "compose/control/place.h"
#include "compose/load/explain.h"
#include "compose/model/pre_start.h"

struct project_args project_args = {.progress = NULL, .parallel = -1};

static bool ignored_flag, no_ansi;
static const char *ignored_string;

const struct option project_options[] = {
	{"all-resources", 0, OPTION_FLAG, &project_args.all_resources, NULL,
	 "Also networks and volumes that no service uses"},
	{"ansi", 0, OPTION_STRING, &project_args.ansi, "string",
	 "Colours and cursor movement: never, always or auto"},
	{"compatibility", 0, OPTION_FLAG, &project_args.compatibility, NULL,
	 "Call containers PROJECT_SERVICE_NUMBER, as Compose V1 did"},
	{"dry-run", 0, OPTION_FLAG, &project_args.dry_run, NULL,
	 "Show what would be done and why; change nothing"},
	{"env-file", 0, OPTION_LIST, &project_args.env_files, "stringArray",
	 "Variables from this file rather than from .env"},
	{"file", 'f', OPTION_LIST, &project_args.files, "stringArray",
	 "Compose file; several are merged in order; - is standard input"},
	{"parallel", 0, OPTION_INT, &project_args.parallel, "int",
	 "At most so much at the same time; -1: no bound"},
	{"profile", 0, OPTION_LIST, &project_args.profiles, "stringArray",
	 "With the services of this profile; *: of all"},
	{"progress", 0, OPTION_STRING, &project_args.progress, "string",
	 "How to show what is being done: auto, tty, plain, json or quiet"},
	{"project-directory", 0, OPTION_STRING, &project_args.project_directory, "string",
	 "The project's folder (default: that of the first file)"},
	{"project-name", 'p', OPTION_STRING, &project_args.project_name, "string",
	 "The project's name"},
	{"version", 'v', OPTION_FLAG, &project_args.version, NULL, "Show the version"},
	{"workdir", 0, OPTION_STRING, &project_args.project_directory, "string", NULL},
	{"verbose", 0, OPTION_FLAG, &ignored_flag, NULL, NULL},
	{"no-ansi", 0, OPTION_FLAG, &no_ansi, NULL, NULL},
	{"insecure-registry", 0, OPTION_STRING, &ignored_string, "string", NULL},
	{NULL},
};

const struct option persistent_options[] = {
	{"dry-run", 0, OPTION_FLAG, &project_args.dry_run, NULL,
	 "Show what would be done and why; change nothing"},
	{NULL},
};

static bool one_of(const char *value, const char *const *allowed)
{
	for (; *allowed; allowed++)
		if (!strcmp(value, *allowed))
			return true;
	return false;
}

static int check_words(const struct project_args *args, struct error *err)
{
	static const char *const progress[] = {"auto",  "tty",  "plain", "json",
					       "quiet", "none", NULL};
	static const char *const ansi[] = {"never", "always", "auto", NULL};

	if (!one_of(args->progress, progress))
		return error_set(err, EINVAL, "unsupported --progress value \"%s\"",
				 args->progress);
	if (!one_of(args->ansi, ansi))
		return error_set(err, EINVAL, "unsupported --ansi value \"%s\"", args->ansi);
	return 0;
}

bool project_args_switch(const char *variable)
{
	static const char *const on[] = {"1", "t", "true", "y", "yes", NULL};
	const char *value = getenv(variable);

	if (!value)
		return false;
	for (const char *const *word = on; *word; word++)
		if (!strcasecmp(*word, value))
			return true;
	return false;
}

/* The variables that stand for flags. */
static int take_variables(struct project_args *args, struct error *err)
{
	const char *limit = getenv("COMPOSE_PARALLEL_LIMIT");
	char *end;
	long n;

	args->compatibility |= project_args_switch("COMPOSE_COMPATIBILITY");
	if (!limit || !limit[0])
		return 0;
	n = strtol(limit, &end, 10);
	if (end == limit || *end)
		return error_set(err, EINVAL,
				 "COMPOSE_PARALLEL_LIMIT must be an integer (found: \"%s\")",
				 limit);
	if (args->parallel < 0 && n > 0 && n <= INT_MAX)
		args->parallel = (int)n;
	return 0;
}

#define NAME_LENGTH_MAX 200

/* A name that is also the name of a directory: nothing else may get as far as a path. */
int project_args_check_name(const char *name, struct error *err)
{
	bool good = islower((unsigned char)name[0]) || isdigit((unsigned char)name[0]);

	for (const char *p = name; *p; p++)
		good = good && (islower((unsigned char)*p) || isdigit((unsigned char)*p) ||
				*p == '_' || *p == '-');
	if (good && strlen(name) > NAME_LENGTH_MAX)
		return error_set(err, ENAMETOOLONG,
				 "project name \"%.40s...\" has %zu characters; %d is the most",
				 name, strlen(name), NAME_LENGTH_MAX);
	if (good)
		return 0;
	return error_set(
		err, EINVAL,
		"invalid project name \"%.100s\": must consist only of lowercase alphanumeric "
		"characters, hyphens, and underscores as well as start with a letter or "
		"number",
		name);
}

int project_args_finish(struct project_args *args, struct error *err)
{
	if (!args->progress)
		args->progress = getenv("COMPOSE_PROGRESS");
	if (!args->progress || !args->progress[0])
		args->progress = "auto";
	if (!args->ansi)
		args->ansi = no_ansi ? "never" : getenv("COMPOSE_ANSI");
	if (!args->ansi || !args->ansi[0])
		args->ansi = "auto";
	if (args->project_name && !args->project_name[0])
		args->project_name = NULL;
	if (args->project_name && project_args_check_name(args->project_name, err) < 0)
		return -err->code;
	if (!args->working_dir)
		args->working_dir = getcwd(NULL, 0);
	if (!args->working_dir && errno == ENOENT)
		return error_set(
			err, ENOENT,
			"the current directory is not there any more: change to one that is");
	if (!args->working_dir)
		return error_errno(err, "the current directory");
	if (check_words(args, err) < 0)
		return -err->code;
	return take_variables(args, err);
}

static void warn(void *data, const char *message)
{
	output_warn("%s", message);
}

void project_args_load_options(const struct project_args *args, struct load_options *ret)
{
	*ret = (struct load_options){
		.working_dir = args->working_dir,
		.environment = environ,
		.files = args->files,
		.env_files = args->env_files,
		.project_directory = args->project_directory,
		.project_name = args->project_name,
		.profiles = args->profiles,
		.all_resources = args->all_resources,
		.fetch = remote_files_fetch,
		.warn = warn,
	};
}

static void find_where(const struct project_args *args, char *const *path, char *ret, size_t size)
{
	static char *every_profile[] = {(char *)"*", NULL};
	struct load_options options;

	ret[0] = '\0';
	/* Standard input cannot be read twice. */
	if (strv_contains(args->files, "-"))
		return;
	project_args_load_options(args, &options);
	options.profiles = every_profile;
	load_where(&options, path, ret, size);
}

void project_args_image_at(const struct project_args *args, const char *service, bool mounted,
			   char *ret, size_t size)
{
	char *path[] = {(char *)"services", (char *)service,
			(char *)(mounted ? "volumes" : "image"), NULL};

	find_where(args, path, ret, size);
}

void project_args_place(const struct project_args *args, struct error *err)
{
	_cleanup_strv_ char **keys = place_keys(err->where);

	if (keys)
		find_where(args, keys, err->where, sizeof(err->where));
}

static int load(struct project_args *args, const struct load_options *options, struct project **ret,
		struct error *err)
{
	int r;

	free(args->report);
	args->report = NULL;
	r = load_project(options, ret, &args->report, err);
	if (r < 0)
		return r;
	r = project_args_check_name((*ret)->name, err);
	if (r < 0) {
		project_free(*ret);
		*ret = NULL;
		return r;
	}
	project_add_pre_start(*ret);
	return 0;
}

static const char *missing_service(const struct project *project, char *const *services)
{
	strv_foreach(name, services) {
		if (!project_service(project, name))
			return name;
	}
	return NULL;
}

static void ignore_warning(void *data, const char *message)
{
}

/* The profiles given, and those of the services asked for, which are hidden by them. */
static int profiles_with(struct project_args *args, const struct load_options *options,
			 char *const *services, char ***ret, struct error *err)
{
	char *const all[] = {"*", NULL};
	struct load_options everything = *options;
	_cleanup_strv_ char **profiles = strv_dup(options->profiles);
	struct project *project = NULL;
	int r;

	everything.profiles = all;
	everything.warn = ignore_warning;
	everything.default_platform = false;
	r = load(args, &everything, &project, err);
	if (r < 0)
		return r;
	strv_foreach(name, services) {
		const struct service *service = project_service(project, name);

		if (!service) {
			r = project_no_such_service(project, name, err);
			project_free(project);
			return r;
		}
		strv_foreach(profile, service->profiles)
			strv_append(&profiles, profile);
	}
	project_free(project);
	*ret = TAKE_PTR(profiles);
	return 0;
}

/* @starts: what is loaded is to run, so that nothing may be missing. */
static int load_services(struct project_args *args, char *const *services, bool starts,
			 struct project **ret, struct error *err)
{
	_cleanup_strv_ char **profiles = NULL;
	struct load_options options;
	struct project *project = NULL;
	int r;

	/*
	 * All services are loaded, whichever are asked for: the supervisor has to know who else
	 * belongs to the project, or they would be orphans.
	 */
	project_args_load_options(args, &options);
	options.unset_sources = options.no_unheeded = !starts;
	options.default_platform = true;
	r = load(args, &options, &project, err);
	if (r < 0)
		return r;
	if (missing_service(project, services)) {
		project_free(project);
		r = profiles_with(args, &options, services, &profiles, err);
		if (r < 0)
			return r;
		options.profiles = profiles;
		options.warn = ignore_warning;
		r = load(args, &options, &project, err);
		if (r < 0)
			return r;
	}
	*ret = project;
	return 0;
}

int project_args_load(struct project_args *args, char *const *services, struct project **ret,
		      struct error *err)
{
	return load_services(args, services, true, ret, err);
}

int project_args_load_or_name(struct project_args *args, char *const *services,
			      struct project **ret, char **ret_name, struct error *err)
{
	const char *variable = getenv("COMPOSE_PROJECT_NAME");
	struct error ignored = ERROR_INIT;
	int r;

	*ret = NULL;
	if (args->project_name && !args->files) {
		*ret_name = alloc_string(args->project_name);
		return 0;
	}
	r = load_services(args, services, false, ret, err);
	if (r >= 0) {
		*ret_name = alloc_string((*ret)->name);
		return 0;
	}
	if (!variable || !variable[0] || project_args_check_name(variable, &ignored) < 0)
		return r;
	error_clear(err);
	*ret_name = alloc_string(variable);
	return 0;
}
