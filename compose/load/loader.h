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

struct extendable;
struct explanation;
struct explained;

struct loader {
	const struct load_options *options;
	struct report report;
	struct source **sources; /* live as long as the nodes */
	size_t source_count;
	size_t bytes;         /* of all of them */
	struct map variables; /* what ${...} sees; owns its values */
	struct map **scopes;  /* variables of includes */
	size_t scope_count;
	struct map extended;             /* path to struct extendable */
	size_t copies;                   /* nodes that extends added */
	struct explanation *explanation; /* NULL: nobody asks */
	struct map warned;               /* variables whose absence was told */
	char *working_dir;               /* the client's, absolute */
	char *directory;                 /* the project's, absolute */
	char **files;                    /* absolute paths, or "-" */
	char **env_files;                /* as given */
	char *name;
	struct node *root; /* all files, merged */
	struct project *project;
};

/* The whole pipeline; the project stays in @l. */
int loader_run(struct loader *l, char **ret_report, struct error *err);
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

/* documents.c: files to one tree. The caller's, and filled as far as it went after a failure. */
int documents_parse(struct scope *scope, char *const *files, struct yaml_documents **ret,
		    struct error *err);
int documents_merge(struct scope *scope, struct yaml_documents *documents, char *const *files,
		    struct node **ret, struct error *err);
int documents_load(struct scope *scope, char *const *files, struct node **ret, struct error *err);
void documents_free(struct yaml_documents *documents, char *const *files);

/* extends.c: puts each service of @document on its base; @earlier: what stood before it. */
int extends_apply(struct scope *scope, struct node *document, const struct node *earlier,
		  struct error *err);
void extendable_free(struct extendable *file);

/* include.c: puts *@document on top of what it includes. */
int include_apply(struct scope *scope, struct node **document, struct error *err);

/* explain.c: who set a value; nothing of this costs anything unless it is asked for. */
struct explained *explain_document(struct loader *l, const struct node *document);
/* When the document's turn has come; takes @said, which may be NULL. */
void explain_applied(struct loader *l, struct explained *said);
void explain_extends(struct loader *l, const struct node *service, const struct node *base);

/* files.c: which files, their text, and the project's directory. */
int files_find(struct loader *l, struct error *err);
int files_read(struct loader *l, const char *path, size_t limit, struct source **ret,
	       struct error *err);

/* variables.c: the environment of ${...}: the client's, then --env-file or .env. */
void variables_from_environment(struct loader *l);
int variables_from_files(struct loader *l, struct error *err);
/* A file's variables over those in @found, whose values it owns. -ENOENT: there is none. */
int variables_read(struct scope *scope, const char *path, struct map *found, struct error *err);
/* Puts those of @found behind what the scope knows already; releases @found. */
void variables_adopt(struct scope *scope, struct map *found);
const char *variables_get(const struct loader *l, const char *name);
struct interpolation variables_interpolation(struct loader *l);
struct interpolation scope_interpolation(struct scope *scope);
/* The project's own files. */
struct scope loader_scope(struct loader *l);

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
