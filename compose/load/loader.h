/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_LOADER_H
#define COMPOSE_LOAD_LOADER_H

/*
 * loader.h - what the steps of one load share: the tree, where its files come from, what is wrong
 * with them. The steps include this page and it includes none of them.
 */

#include "common/map.h"
#include "common/str.h"

#include "compose/load/options.h"
#include "compose/model/project.h"
#include "compose/tree/interpolate.h"
#include "compose/tree/node.h"
#include "compose/tree/report.h"

struct loader;
struct extendable;
struct trace;

/* A set of files that are read as one: the project's own, those of an include, an extended one. */
struct scope {
	struct loader *l;
	const struct scope *parent; /* of an include: who includes it; else NULL */
	const char *directory;      /* where relative paths start */
	struct map *variables;      /* what ${...} sees; owns its values */
	char *const *files;         /* absolute; NULL: not known to anybody */
	unsigned int depth;
	bool alone; /* only its services are looked at, one by one: no extends and no include yet */
};

/*
 * Files to one tree, the caller's. `extends` and `include` ask for further files by it, which are
 * read as those are that name them.
 */
typedef int (*load_files_fn)(struct scope *scope, char *const *files, struct node **ret,
			     struct error *err);

struct loader {
	const struct load_options *options;
	load_files_fn load_files;
	struct report report;
	struct source **sources; /* live as long as the nodes */
	size_t source_count;
	size_t bytes;         /* of all of them */
	struct map variables; /* what ${...} sees; owns its values */
	struct map **scopes;  /* variables of includes */
	size_t scope_count;
	struct map extended; /* path to struct extendable */
	size_t copies;       /* nodes that extends added */
	struct trace *trace; /* NULL: nobody asks */
	struct map warned;   /* variables whose absence was told */
	struct map broken;   /* as decoder.broken */
	bool incomplete;     /* a file of the project could not be read at all */
	char *working_dir;   /* the client's, absolute */
	char *directory;     /* the project's, absolute */
	char **files;        /* absolute paths, or "-" */
	char **fetched;      /* those of the project's files that were fetched: see remote.h */
	char **env_files;    /* as given */
	char *name;
	struct node *root; /* all files, merged */
	struct project *project;
};

void loader_warn(struct loader *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The value of a variable that ${...} sees; NULL: not set. */
const char *loader_variable(const struct loader *l, const char *name);
/* The project's own files. */
struct scope loader_scope(struct loader *l);
/* Absolute and cleaned: from @base unless it is absolute; "~" is the user's home. New string. */
char *loader_path(const struct loader *l, const char *base, const char *path);
/* Where the file says it: the deepest of these that is there. Keys end with NULL. */
const struct position *loader_at(const struct loader *l, const char *key, ...)
	__attribute__((sentinel));
/*
 * A part of the project cannot be read: that is told, and the load goes on with the others, to find
 * what else is wrong. A limit that was passed ends it: then the error is returned.
 */
int loader_failure(struct loader *l, const struct error *err);
/* Back from "compose.yaml:7:9" to the place. */
struct position loader_position(const struct loader *l, const char *where);
/* "... : invalid compose project" at the position. */
void loader_problem(struct loader *l, const struct position *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
