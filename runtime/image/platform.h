/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_PLATFORM_H
#define RUNTIME_IMAGE_PLATFORM_H

/*
 * platform.h - operating system, architecture and variant, as images name them.
 */

#include <jansson.h>

#include "common/error.h"

/* The machine's architecture in Go's words: "amd64", "arm64"; and its variant ("v7") or NULL. */
const char *platform_architecture(void);
const char *platform_variant(void);

/* Puts "os", "architecture", "variant" of @text ("linux/arm64/v8"; NULL: this machine's). */
int platform_describe(const char *text, json_t *object, struct error *err);

/* How well an index' platform object suits this machine: 0 not at all, more is better. */
int platform_score(const json_t *platform);

#endif
