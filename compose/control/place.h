/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CONTROL_PLACE_H
#define COMPOSE_CONTROL_PLACE_H

/*
 * place.h - where in a project an error lies, said by who does not know the project's files.
 *
 * In error.where it is "#/services/web/devices/0": the keys from the project down, as a JSON
 * pointer (RFC 6901) in a fragment. Who has the files makes a line and a column of it. It is built
 * from its end: each one that knows what the error is a part of puts that in front.
 */

#include "common/error.h"

/*
 * Puts the keys (NULL ends them) in front of the place that @err has, or makes them its place; one
 * in a file stays. What is too long for it becomes no place. Returns -err->code.
 */
int place_under(struct error *err, const char *key, ...) __attribute__((sentinel));

/* The keys, a new list; NULL: @where is no such place. */
char **place_keys(const char *where);

#endif
