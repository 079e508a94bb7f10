/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_CONTAINER_CONTAINER_FILTER_H
#define COMPOSE_CLI_CONTAINER_CONTAINER_FILTER_H

/*
 * container_filter.h - docker's --filter KEY=VALUE for containers: of one key any value is enough,
 * of different keys all have to hold; of labels all.
 */

#include <jansson.h>
#include <stdbool.h>

#include "common/error.h"

int container_filter_check(char *const *filters, struct error *err);
bool container_filter_has(char *const *filters, const char *key);

/* 1: @container is meant. @all: where before= and since= find theirs. */
int container_filter_match(char *const *filters, const json_t *container, const json_t *all,
			   struct error *err);

#endif
