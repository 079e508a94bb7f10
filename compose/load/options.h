/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_OPTIONS_H
#define COMPOSE_LOAD_OPTIONS_H

/* options.h - what a load is to start from and which of its steps to leave out. */

#include <stdbool.h>

#include "common/error.h"

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
	/* No warnings of what has no effect here: they are for commands that make something. */
	bool no_unheeded;
	/* Services that name no platform have $DOCKER_DEFAULT_PLATFORM's. */
	bool default_platform;
	/*
	 * Brings a Compose file of another place here ("https://HOST/PATH.git#REF:FOLDER",
	 * "oci://IMAGE"): its absolute path, new, with what it refers to beside it. The same
	 * reference means the same file for the whole of a command. NULL: they are refused.
	 */
	int (*fetch)(const char *reference, char **ret_path, struct error *err);
	void (*warn)(void *data, const char *message); /* "The \"X\" variable is not set. ..." */
	void *warn_data;
};

#endif
