/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_TAGS_H
#define RUNTIME_IMAGE_TAGS_H

/*
 * tags.h - the tags that a repository has in its registry (OCI distribution-spec, "Listing Tags").
 */

#include <stddef.h>

#include "common/error.h"

/* "REPOSITORY:TAG" of each, as references are normalised. A new strv. -ENOENT: there are none. */
int image_remote_tags(const char *repository, char ***ret, struct error *err);

/* One answer: adds "@name:TAG" of each tag to @list; *ret_last: the last of them (new), or NULL.
 * What is no tag is passed over. */
int tags_take(const char *text, size_t size, const char *name, char ***list, char **ret_last,
	      struct error *err);

#endif
