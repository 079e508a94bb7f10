/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_IMAGE_IMAGE_DIGESTS_H
#define COMPOSE_CLI_IMAGE_IMAGE_DIGESTS_H

/* image_digests.h - names of images with the digest that their tag means now. */

#include <jansson.h>
#include <stdbool.h>

#include "common/error.h"

/*
 * Of each service of a canonical project, and of mounts of type image: "nginx" becomes
 * "docker.io/library/nginx:latest@sha256:...". What is built, and what has a digest, stays.
 */
int image_digests_pin(json_t *project, struct error *err);

/*
 * Leaves of the project just the images: an override file. The canonical form always has command
 * and entrypoint; a @draft does not.
 */
void image_digests_only(json_t *project, bool draft);

#endif
