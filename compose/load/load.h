/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_LOAD_H
#define COMPOSE_LOAD_LOAD_H

/*
 * load.h - from the user's files, environment and working directory to a project.
 *
 * The pipeline, in order: find the files, parse (anchors, merge keys), interpolate, check shapes,
 * merge, canonical form, defaults, paths, profiles and selection, env_file, consistency.
 */

#include <stdbool.h>
#include <stdio.h>

#include "common/error.h"

#include "compose/model/project.h"

struct load_options {
	const char *working_dir;  /* the client's cwd, absolute */
	char *const *environment; /* KEY=VALUE, the client's */
	char *const *files;       /* -f, in order; "-" is stdin; NULL: COMPOSE_FILE or discovery */
	char *const *env_files;   /* --env-file */
	const char *project_directory, *project_name; /* may be NULL */
	char *const *profiles;  /* --profile; "*": all; COMPOSE_PROFILES is read by load */
	char *const *services;  /* selected ones (they activate their own profiles); NULL: all */
	bool with_dependencies; /* keep the dependencies of the selected ones */
	bool all_resources;     /* keep networks and volumes that nobody uses */
	bool no_interpolate, no_normalize, no_path_resolution, no_env_resolution, no_consistency;
	/*
	 * A secret or config may come from a variable that is not set: a warning then, for commands
	 * that start nothing.
	 */
	bool unset_sources;
	void (*warn)(void *data, const char *message); /* "The \"X\" variable is not set. ..." */
	void *warn_data;
};

/*
 * The project, the caller's. The first error is the one returned, with err->where; the text of all
 * of them, one a line with source line and caret, goes to *ret_report (new, may be NULL).
 * -ENOENT with "no configuration file provided: not found".
 */
int load_project(const struct load_options *options, struct project **ret, char **ret_report,
		 struct error *err);

/*
 * Only the project's name, by the rules of load_project: -p, COMPOSE_PROJECT_NAME, `name:`, folder.
 * With -p or COMPOSE_PROJECT_NAME no file needs to exist or to be right. New string.
 */
int load_project_name(const struct load_options *options, char **ret_name, struct error *err);

/*
 * The merged files as JSON and nothing more: for `config --no-interpolate`, whose values need not
 * be of any form yet. New reference.
 */
int load_model(const struct load_options *options, json_t **ret, struct error *err);

/*
 * What files and variables made of the value at @path ("services.web.ports"), as text for the user;
 * new string. -ENOENT: there is no such value, and no file says anything about it.
 */
int load_explain(const struct load_options *options, const char *path, char **ret,
		 char **ret_report, struct error *err);

/* Variables that the files mention, as rows {name, required, default, alternate}; new reference. */
int load_variables(const struct load_options *options, json_t **ret, struct error *err);

#endif
