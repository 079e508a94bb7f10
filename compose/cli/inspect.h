/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_INSPECT_H
#define COMPOSE_CLI_INSPECT_H

/*
 * inspect.h - one object of a kind as docker's `inspect` shows it, for whoever looks for a name
 * without knowing what bears it. New references; -ENOENT: there is none of this name.
 */

#include <jansson.h>

#include "common/error.h"

int inspect_network(const char *name, json_t **ret, struct error *err);
int inspect_volume(const char *name, json_t **ret, struct error *err);
int inspect_image(const char *name, json_t **ret, struct error *err);

#endif
