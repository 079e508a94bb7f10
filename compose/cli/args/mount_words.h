/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_ARGS_MOUNT_WORDS_H
#define COMPOSE_CLI_ARGS_MOUNT_WORDS_H

/* mount_words.h - what docker's --mount says, as a row of `volumes`. */

#include <jansson.h>

#include "common/error.h"

/* Appends "type=bind,source=/x,target=/y,readonly" to @service's volumes; a volume's name is
 * declared in @project. */
int mount_words_put(json_t *project, json_t *service, const char *text, struct error *err);

#endif
