/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_INSPECT_INSPECT_H
#define COMPOSE_CLI_INSPECT_INSPECT_H

/*
 * inspect.h - one object of a kind as docker's `inspect` shows it, for whoever looks for a name
 * without knowing what bears it. New references; -ENOENT: there is none of this name.
 */

#include <jansson.h>

#include "common/error.h"
#include "common/sha256.h"

int inspect_network(const char *name, json_t **ret, struct error *err);
int inspect_volume(const char *name, json_t **ret, struct error *err);
int inspect_image(const char *name, json_t **ret, struct error *err);

struct project_args;

/*
 * Shows what @inspect knows of each of @names, by --format @format (may be NULL); those that are
 * not there are told. Exit code.
 */
int inspect_each(struct project_args *args, char *const *names, const char *format,
		 int (*inspect)(const char *name, json_t **ret, struct error *err));

/* Docker numbers the ends of its networks; ours are known by what they join. */
void inspect_endpoint_id(const char *container_id, const char *network, char ret[SHA256_HEX_SIZE]);

#endif
