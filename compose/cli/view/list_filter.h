/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_VIEW_LIST_FILTER_H
#define COMPOSE_CLI_VIEW_LIST_FILTER_H

/*
 * list_filter.h - `--filter KEY=VALUE` of the listings, as docker reads several of them: any value
 * of one key will do, each key has to be met, and of labels every one.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

struct list_filter {
	const char *key;
	bool (*matches)(const void *object, const char *value);
};

/* -EINVAL: "invalid filter 'x'", where it is none of @rows (ends with a row without key) or label.
 */
int list_filter_check(char *const *filters, const struct list_filter *rows, struct error *err);
bool list_filter_passes(char *const *filters, const struct list_filter *rows, const void *object,
			const json_t *labels);

/* An extended regular expression, as far as such names go; one that is none is plain text. */
bool list_filter_name(const char *name, const char *pattern);
bool list_filter_is_true(const char *value);

#endif
