/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_IMAGE_IMAGE_TIMES_H
#define COMPOSE_CLI_IMAGE_IMAGE_TIMES_H

/*
 * image_times.h - when this command pulled and built which images, for the chart of the start that
 * follows (compose/control/timeline.h).
 */

#include <jansson.h>
#include <stdbool.h>

#include "runtime/image/pull.h"

void image_times_build_begins(const char *image);
void image_times_build_ends(const char *image, bool failed);
/* Of an image, or of one of its layers: those are passed over. */
void image_times_pull(const struct pull_event *event);

/* `gathered` of a request `converge`; NULL: nothing was. New reference. */
json_t *image_times_json(void);

#endif
