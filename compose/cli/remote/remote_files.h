/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_REMOTE_REMOTE_FILES_H
#define COMPOSE_CLI_REMOTE_REMOTE_FILES_H

/*
 * remote_files.h - Compose files of git repositories and of OCI artifacts, for load_options.fetch.
 *
 * What was fetched lies in $XDG_CACHE_HOME/berth (~/.cache/berth), a folder a commit or digest:
 * whole once it bears its name, never changed, and used again without asking for its content. A
 * branch or tag is looked up anew by each command, once.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

/* See load_options.fetch. Variables that docker compose has switch it off. */
int remote_files_fetch(const char *reference, char **ret_path, struct error *err);

/*
 * remote_git.c, remote_oci.c: first what @reference means now, as a name for its folder, then its
 * content into the new folder @path. The file in it, relative; NULL: look for one. New strings.
 */
struct remote_meaning {
	char *reference;
	char *name;   /* a commit, or a digest without its colon */
	char *within; /* a file or folder; "" or NULL: the whole */
	char *manifest;
};
int remote_git_resolve(struct remote_meaning *meaning, struct error *err);
int remote_git_fetch(const struct remote_meaning *meaning, const char *path, struct error *err);
int remote_oci_resolve(struct remote_meaning *meaning, struct error *err);
int remote_oci_fetch(const struct remote_meaning *meaning, const char *path, struct error *err);

/* The files of an artifact, as its manifest tells. */
struct remote_oci_files {
	struct remote_oci_file {
		char *name;     /* without a slash */
		char *digest;   /* "sha256:..." */
		bool variables; /* an env file */
	} * items;
	size_t count;
};

/* Pure. EINVAL: it is no Compose project. The caller's in the end, also when it is empty. */
int remote_oci_parse(const char *manifest, struct remote_oci_files *ret, struct error *err);
void remote_oci_files_done(struct remote_oci_files *files);

#endif
