/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_REMOTE_H
#define COMPOSE_LOAD_REMOTE_H

/*
 * remote.h - Compose files of other places: -f, COMPOSE_FILE, `include` and `extends.file` may name
 * a git repository or an OCI artifact. The loader's user fetches it (options.h); what such a file
 * says of paths is relative to where it lies then.
 */

#include "compose/load/loader.h"

bool remote_is(const char *reference);
/* The file's path on this machine, new; the error names the reference. */
int remote_fetch(const struct loader *l, const char *reference, char **ret_path, struct error *err);
/* The folder of @path, new. */
char *remote_folder(const char *path);

#endif
