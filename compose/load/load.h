/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_LOAD_H
#define COMPOSE_LOAD_LOAD_H

/*
 * load.h - from the user's files, environment and working directory to a project.
 *
 * The pipeline, in order: find the files, parse (anchors, merge keys), interpolate, check shapes,
 * merge, canonical form, defaults, paths, profiles and selection, env_file, consistency.
 */

#include <jansson.h>
#include <stdbool.h>

#include "common/error.h"

#include "compose/load/options.h"
#include "compose/model/project.h"

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

/* Whether there are files to make a project of, right or wrong: given, by COMPOSE_FILE, or found.
 */
bool load_finds_files(const struct load_options *options);

/*
 * The merged files with ${...} left as it is, for `config --no-interpolate`. Values need not be of
 * any form yet, so this is no project. New reference.
 */
int load_model(const struct load_options *options, json_t **ret, char **ret_report,
	       struct error *err);

/* Variables that the files mention, as rows {name, required, default, alternate}; new reference. */
int load_variables(const struct load_options *options, json_t **ret, char **ret_report,
		   struct error *err);

/* What ${...} sees: KEY=VALUE, sorted; new list. */
int load_environment(const struct load_options *options, char ***ret, char **ret_report,
		     struct error *err);

#endif
