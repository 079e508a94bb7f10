/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_CONTAINER_CONTAINER_FLAGS_H
#define COMPOSE_CLI_CONTAINER_CONTAINER_FLAGS_H

/*
 * container_flags.h - the flags of `docker run` as a project of one service: a table says which
 * attribute each of them is, and the project's own decoders say what is wrong with a value.
 */

#include <jansson.h>
#include <stdbool.h>

#include "common/error.h"

#include "compose/cli/args/flags.h"

/* What is about the command, not about the container. */
struct container_flags {
	bool detach, auto_remove, quiet, interactive, tty, publish_all;
	bool sig_proxy; /* on, unless said */
	char **attach;  /* NULL: all that it says */
	const char *name, *cidfile, *detach_keys, *pull, *restart;
};

extern struct container_flags container_flags;
extern const struct option container_options[];

/*
 * The project of container @name, of image and command @argv, in canonical form; new reference.
 * @exposed (may be NULL): ports that the image says it has, for --publish-all.
 */
int container_flags_project(const char *name, char *const *argv, char *const *exposed, json_t **ret,
			    struct error *err);

#endif
