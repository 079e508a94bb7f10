/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_BUILD_IGNORE_H
#define RUNTIME_BUILD_IGNORE_H

/*
 * ignore.h - .dockerignore: which files of a context a build does not see.
 *
 * As Docker matches (moby's patternmatcher): the last pattern that matches a path, or a folder
 * above it, decides; "!" takes back; ** is any number of folders, * and ? stay within one, [a-z]
 * and [^a-z] are classes, a backslash takes the next letter as it is.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

struct ignore_pattern {
	char *pattern;     /* cleaned: no slash at either end, no "." and ".." */
	char *original;    /* as the user wrote it */
	unsigned int line; /* in the file; 0: not from a file */
	bool negated;
};

struct ignore {
	char *name; /* of the file, for messages */
	struct ignore_pattern *patterns;
	size_t count;
	bool any_negated;
};

/* Reads @text; -EINVAL: a pattern that cannot be one, with its line. */
int ignore_parse(const char *name, const char *text, size_t size, struct ignore *ret,
		 struct error *err);
/* One more pattern: COPY --exclude. */
int ignore_add(struct ignore *ignore, const char *pattern, unsigned int line, struct error *err);
void ignore_done(struct ignore *ignore);

/* Whether the file at @path ("a/b/c") is left out. @ret_by (may be NULL): the pattern that decided.
 */
bool ignore_matches(const struct ignore *ignore, const char *path,
		    const struct ignore_pattern **ret_by);
/* The folder @path is left out, and nothing in it can come back. */
bool ignore_prunes(const struct ignore *ignore, const char *path);

/* One pattern against a whole path; exported for wildcards in COPY. */
bool ignore_pattern_matches(const char *pattern, const char *path);

#endif
