/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_IMAGE_IMAGE_FILTER_H
#define COMPOSE_CLI_IMAGE_IMAGE_FILTER_H

/*
 * image_filter.h - `image ls --filter`, as docker has it: dangling, label, reference, before,
 * since, until. All have to be met; of several references one.
 */

#include "runtime/image/image.h"

#include "compose/cli/system/prune.h"

struct image_filter {
	char *const *words; /* borrowed */
	char **rest;        /* label and until, for @prune */
	struct prune_filter prune;
	int64_t before_nsec, since_nsec; /* 0: whatever the time */
};

/* -EINVAL: no such filter. -ENOENT: no such image. image_filter_done() in any case. */
int image_filter_parse(char *const *words, struct image_store *store, struct image_filter *ret,
		       struct error *err);
void image_filter_done(struct image_filter *filter);
bool image_filter_matches(const struct image_filter *filter, const struct image *image);

#endif
