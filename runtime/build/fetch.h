/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_BUILD_FETCH_H
#define RUNTIME_BUILD_FETCH_H

/*
 * fetch.h - repositories that stand elsewhere, by the git program: build contexts, what ADD
 * brings, and the Compose files of others.
 */

#include <stdbool.h>

#include "common/error.h"

/* "https://HOST/PATH.git", "git@HOST:PATH", "ssh://", "git://", "github.com/",
 * each with #REF:FOLDER or without.
 */
bool fetch_is_git(const char *source);
/* A repository ("URL#ref:folder") into the new directory @path. @commit: what it must be at. */
int fetch_git(const char *url, const char *path, const char *commit, bool keep_git, int log_fd,
	      struct error *err);

#endif
