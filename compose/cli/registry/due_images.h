/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_REGISTRY_DUE_IMAGES_H
#define COMPOSE_CLI_REGISTRY_DUE_IMAGES_H

/*
 * due_images.h - what `up` would pull and build before it makes anything, and why: for `plan` and
 * --dry-run, which get nothing.
 */

#include "compose/model/project.h"
#include "compose/plan/plan.h"

struct due_images {
	struct plan_image *items; /* pulls first; names are the project's */
	size_t count;
	char **causes;
};

struct due_images_options {
	char *const *services; /* NULL or empty: all */
	bool no_deps;
	bool build, no_build; /* the flags */
	const char *pull;     /* the flag; it stands in the project's policies already */
};

/* @project has names for images that are built. due_images_done() releases. */
int due_images_find(struct project *project, const struct due_images_options *options,
		    struct due_images *ret, struct error *err);
/* Whether an image of this name will be here afterwards. */
bool due_images_has(const struct due_images *due, const char *image);
void due_images_done(struct due_images *due);

#endif
