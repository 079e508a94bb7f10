/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_VARIABLES_H
#define COMPOSE_LOAD_VARIABLES_H

/* variables.h - what ${...} sees: the client's environment, then --env-file or .env. */

#include "compose/load/loader.h"

void variables_from_environment(struct loader *l);
int variables_from_files(struct loader *l, struct error *err);
/* A file's variables over those in @found, whose values it owns. -ENOENT: there is none. */
int variables_read(struct scope *scope, const char *path, struct map *found, struct error *err);
/* Puts those of @found behind what the scope knows already; releases @found. */
void variables_adopt(struct scope *scope, struct map *found);
struct interpolation variables_interpolation(struct loader *l);
struct interpolation scope_interpolation(struct scope *scope);

#endif
