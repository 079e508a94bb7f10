/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_ARGS_PROJECT_ARGS_H
#define COMPOSE_CLI_ARGS_PROJECT_ARGS_H

/*
 * project_args.h - the flags before the command, and the project that they lead to.
 */

#include <stdbool.h>

#include "common/error.h"

#include "compose/cli/args/flags.h"
#include "compose/load/load.h"
#include "compose/model/project.h"

struct output_failure;

struct project_args {
	char **files, **env_files, **profiles;
	const char *project_name, *project_directory, *progress, *ansi;
	bool dry_run, all_resources, compatibility, version;
	int parallel;
	char *working_dir; /* the client's */
	char *report;      /* what the loader said at length about the last failure; may be NULL */
	struct output_failure *failure; /* output.h; NULL: the user is told */
};

extern struct project_args project_args;
extern const struct option project_options[];    /* before the command */
extern const struct option persistent_options[]; /* before and behind it */

/* A COMPOSE_* switch is on with "1", "t", "true", "y" or "yes". */
bool project_args_switch(const char *variable);

/* A name that a project can have: also one that is safe as a path's last part. */
int project_args_check_name(const char *name, struct error *err);

/* Fills in defaults from COMPOSE_* variables. */
int project_args_finish(struct project_args *args, struct error *err);

void project_args_load_options(const struct project_args *args, struct load_options *ret);

/*
 * Where the files say which image service @service has (@mounted: has among its volumes):
 * "compose.yaml:7:9", or "". For messages of a failure.
 */
void project_args_image_at(const struct project_args *args, const char *service, bool mounted,
			   char *ret, size_t size);

/*
 * An error of the project as these files have it, whose place (compose/control/place.h) becomes
 * one in the files.
 */
void project_args_place(const struct project_args *args, struct error *err);

/*
 * The whole project, for commands that cannot do without. @services (may be NULL) must be in it;
 * those hidden by a profile activate it. The caller's to free.
 */
int project_args_load(struct project_args *args, char *const *services, struct project **ret,
		      struct error *err);

/*
 * For commands that work on what exists. With -p and no -f the files are not looked at: *ret is
 * NULL and labels decide. With COMPOSE_PROJECT_NAME unreadable files mean the same.
 */
int project_args_load_or_name(struct project_args *args, char *const *services,
			      struct project **ret, char **ret_name, struct error *err);

#endif
