/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_PATH_H
#define COMMON_PATH_H

/*
 * path.h - paths as text; no file is looked at.
 *
 * Whatever is returned is new and the caller's to free.
 */

/*
 * Cleaned: no double slashes, "." and "..", or a slash at the end. A relative path may begin with
 * "..", and "." is the empty one. What is longer than PATH_MAX comes back as it is.
 */
char *path_clean(const char *path);
/* Cleaned as a path inside a root, where ".." stops: "/a//../b/" to "b"; "" is the root. */
char *path_clean_inside(const char *path);

const char *path_last(const char *path); /* what follows the last slash; inside @path */

#endif
