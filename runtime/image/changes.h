/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_CHANGES_H
#define RUNTIME_IMAGE_CHANGES_H

/*
 * changes.h - what `image import -c` says of an image's config, in a Dockerfile's words.
 */

#include <jansson.h>

#include "common/error.h"

/* Applies one instruction to @config (the "config" object of an OCI image config). */
int change_apply(json_t *config, const char *instruction, struct error *err);

#endif
