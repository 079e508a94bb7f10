/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_ROOTPATH_H
#define COMMON_ROOTPATH_H

/*
 * rootpath.h - paths inside a root that somebody else controls, resolved by openat2 with
 * RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS: no link, "..", or race leads out of it.
 */

#include <sys/types.h>

#include "common/error.h"

/* As openat(); O_CLOEXEC is added. fd or negative with @err filled ("open /etc/passwd: ..."). */
int rootpath_open(int rootfd, const char *path, int flags, mode_t mode, struct error *err);

/* The same without an error text, usable between clone3 and execve: fd or -errno. */
int rootpath_open_raw(int rootfd, const char *path, int flags, mode_t mode);

/* mkdir -p inside the root, links followed inside it. O_PATH fd of the last component. */
int rootpath_mkdirs(int rootfd, const char *path, mode_t mode, struct error *err);

/*
 * Makes sure that something stands at @path to mount on: a directory if @directory, else an empty
 * file, parents made as needed. Usable between clone3 and execve. O_PATH fd.
 */
int rootpath_make_target(int rootfd, const char *path, int directory, struct error *err);

#endif
