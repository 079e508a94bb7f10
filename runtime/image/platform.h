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

/* Only what says the platform, of a config or an index' row. New. */
json_t *platform_copy(const json_t *object);

/* "linux/arm64/v8" of such an object. New string. */
char *platform_text(const json_t *object);

/* "pkg:docker/NAME@TAG?platform=linux%2Famd64": a package URL. @name: a reference. New string. */
char *platform_package(const char *name, const json_t *object);

/*
 * How well an index' platform object suits the platform @wanted: 0 not at all, more is better. As
 * for containerd a processor also runs what was made for its older relatives.
 */
int platform_rank(const json_t *wanted, const json_t *platform);

/* How well an index' platform object suits this machine: 0 not at all, more is better. */
int platform_score(const json_t *platform);

#endif
