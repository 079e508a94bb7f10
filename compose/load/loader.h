/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_LOADER_H
#define COMPOSE_LOAD_LOADER_H

/*
 * loader.h - what the steps of one load share. Of this folder only load.h is for others.
 */

#include "common/map.h"
#include "common/str.h"

#include "compose/load/load.h"
#include "compose/model/shapes.h"
#include "compose/tree/interpolate.h"
#include "compose/tree/yaml.h"

struct loader {
	const struct load_options *options;
	struct report report;
	struct source **sources; /* live as long as the nodes */
	size_t source_count;
	struct map variables; /* what ${...} sees; owns its values */
	struct map warned;    /* variables whose absence was told */
	char *working_dir;    /* the client's, absolute */
	char *directory;      /* the project's, absolute */
	char **files;         /* absolute paths, or "-" */
	char **env_files;     /* as given */
	char *name;
	struct node *root; /* all files, merged */
	struct project *project;
};

void loader_done(struct loader *l);
void loader_warn(struct loader *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Absolute and cleaned: from @base unless it is absolute; "~" is the user's home. New string. */
char *loader_path(const struct loader *l, const char *base, const char *path);
/* Where the file says it: the deepest of these that is there. Keys end with NULL. */
const struct position *loader_at(const struct loader *l, const char *key, ...)
	__attribute__((sentinel));
/* "... : invalid compose project" at the position. */
void loader_problem(struct loader *l, const struct position *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* files.c: which files, their text, and the project's directory. */
int files_find(struct loader *l, struct error *err);
int files_read(struct loader *l, const char *path, size_t limit, struct source **ret,
	       struct error *err);

/* variables.c: the environment of ${...}: the client's, then --env-file or .env. */
void variables_from_environment(struct loader *l);
int variables_from_files(struct loader *l, struct error *err);
/* The .env of @directory, once; missing is fine. */
int variables_from_directory(struct loader *l, const char *directory, struct error *err);
const char *variables_get(const struct loader *l, const char *name);
struct interpolation variables_interpolation(struct loader *l);

/* merge.c: puts @over, which it takes, on top of @base. */
void merge_documents(struct loader *l, struct node *base, struct node *over);
/* The same of one service, as `extends` does it. */
void merge_service(struct loader *l, struct node *base, struct node *over);
/* Removes what !reset marks. */
void merge_strip_resets(struct node *node);

/* normalize.c: names, the default network, implied dependencies. */
void normalize_project(struct loader *l);

/* select.c: profiles, chosen services, and what nobody uses. */
int select_services(struct loader *l, struct error *err);

/* environment.c: env_file and environment variables into services, secrets and configs. */
int environment_resolve(struct loader *l, struct error *err);

/* check.c: what only the whole project shows. */
void check_project(struct loader *l);

#endif
