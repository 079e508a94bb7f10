/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_PUBLISH_PUBLISH_ARTIFACT_H
#define COMPOSE_CLI_PUBLISH_PUBLISH_ARTIFACT_H

/*
 * publish_artifact.h - a project's files as an OCI artifact, in the form that docker compose gives
 * it: a manifest of type application/vnd.docker.compose.project, a layer for each file.
 */

#include <jansson.h>
#include <stdbool.h>

#include "common/error.h"

#include "runtime/image/push.h"

#include "compose/load/portable.h"

#define PUBLISH_INDEX_MEDIA    "application/vnd.oci.image.index.v1+json"
#define PUBLISH_MANIFEST_MEDIA "application/vnd.oci.image.manifest.v1+json"

/* 1.0 of the OCI specification knows no artifacts: the type of its config says what it is then. */
enum publish_version { PUBLISH_OCI_1_1, PUBLISH_OCI_1_0 };

/* The manifest as it is sent; files of environments only @with_environment. New string. */
char *publish_manifest(const struct portable *files, bool with_environment,
		       enum publish_version version);
/* What push_add_artifact() is to send along, in its order; new array. Borrows from @files. */
struct push_piece *publish_pieces(const struct portable *files, bool with_environment,
				  size_t *ret_count);
/* Of the images in @manifests (an array of descriptors), about the manifest @subject. */
char *publish_index(json_t *manifests, const char *subject, size_t subject_size);

#endif
