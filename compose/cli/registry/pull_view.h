/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_REGISTRY_PULL_VIEW_H
#define COMPOSE_CLI_REGISTRY_PULL_VIEW_H

/*
 * pull_view.h - what happens to images on their way, as lines of progress: " Image nginx Pulling",
 * and below it one for each layer, with a bar.
 */

#include "runtime/image/pull.h"

#include "compose/cli/view/progress.h"

struct pull_view {
	struct progress *progress;
	bool quiet; /* images only */
};

/* For pull_new(); @data is the struct pull_view. */
void pull_view_event(void *data, const struct pull_event *event);

/* " Image nginx Skipped - Image can be built" */
void pull_view_skip(struct pull_view *view, const char *image, const char *why);

#endif
