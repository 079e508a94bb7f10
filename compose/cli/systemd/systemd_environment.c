// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/systemd/systemd_environment.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/load/load.h"

extern char **environ;

DEFINE_CLEANUP(struct project *, project_free);

static void ignore_warning(void *data, const char *message)
{
}

/* Those that say which files, which the unit is given, too. */
static bool is_given(const char *name, bool user)
{
	static const char *const compose[] = {"COMPOSE_FILE",         "COMPOSE_PATH_SEPARATOR",
					      "COMPOSE_ENV_FILES",    "COMPOSE_PROFILES",
					      "COMPOSE_PROJECT_NAME", "BERTH_ROOT",
					      "BERTH_RUNTIME_DIR"};
	static const char *const session[] = {"HOME", "USER", "LOGNAME", "SHELL",
					      "XDG_RUNTIME_DIR"};

	array_foreach(known, compose)
		if (str_equal(*known, name))
			return true;
	array_foreach(known, session)
		if (user && str_equal(*known, name))
			return true;
	return false;
}

static char *name_of(const char *entry)
{
	return alloc_string_n(entry, strcspn(entry, "="));
}

/* With @only NULL all those that a unit is not given, else @only alone is left out. */
static char **environment_without(const char *only, bool user)
{
	char **environment = NULL;

	strv_foreach(entry, environ) {
		_cleanup_free_ char *name = name_of(entry);

		if (only ? str_equal(name, only) : !is_given(name, user))
			continue;
		strv_append(&environment, entry);
	}
	return environment;
}

/* The canonical form that @environment makes of the files of @project; NULL: none. */
static json_t *form_with(const struct project_args *args, const struct project *project,
			 char *const *environment)
{
	_cleanup_(cleanup_project_free) struct project *other = NULL;
	_cleanup_free_ char *report = NULL;
	struct error ignored = ERROR_INIT;
	struct load_options options;

	project_args_load_options(args, &options);
	options.environment = environment;
	options.files = project->config_files;
	options.project_directory = project->working_dir;
	options.project_name = project->name;
	options.default_platform = true;
	options.warn = ignore_warning;
	if (load_project(&options, &other, &report, &ignored) < 0)
		return NULL;
	return project_to_json(other, true);
}

static bool is_same_without(const struct project_args *args, const struct project *project,
			    const char *only, bool user, const json_t *form)
{
	_cleanup_strv_ char **environment = environment_without(only, user);
	_cleanup_json_ json_t *other = form_with(args, project, environment);

	return other && json_equal(form, other);
}

char **systemd_environment_missing(const struct project_args *args, const struct project *project,
				   bool user)
{
	_cleanup_json_ json_t *form = form_with(args, project, environ);
	char **missing = NULL;

	if (!form || is_same_without(args, project, NULL, user, form))
		return NULL;
	strv_foreach(entry, environ) {
		_cleanup_free_ char *name = name_of(entry);

		if (!is_given(name, user) && !is_same_without(args, project, name, user, form))
			strv_append(&missing, name);
	}
	return missing;
}
