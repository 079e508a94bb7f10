/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_EXPLAIN_H
#define COMPOSE_LOAD_EXPLAIN_H

/* explain.h - `config --explain`: who set a value of the project, and how it came about. */

#include <stddef.h>

#include "common/error.h"

#include "compose/load/options.h"

/*
 * What files and variables made of the value at @path ("services.web.ports"), as text for the user;
 * new string. -ENOENT: there is no such value, and no file says anything about it.
 */
int load_explain(const struct load_options *options, const char *path, char **ret,
		 char **ret_report, struct error *err);

/*
 * Where the value at @path (its keys, NULL-terminated) was said last: "compose.yaml:7:9". Where no
 * file says it, the place of what it is in, up to a service or network; "" where that is not
 * said either, or the files cannot be read. Reads the files anew: for messages of a failure.
 */
void load_where(const struct load_options *options, char *const *path, char *ret, size_t size);

#endif
