/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_LOAD_DOCUMENTS_H
#define COMPOSE_LOAD_DOCUMENTS_H

/*
 * documents.h - files to one tree: parsed, interpolated, with what they extend and include, merged
 * in their order.
 */

#include "compose/load/loader.h"
#include "compose/tree/yaml.h"

/* Each file's documents. The caller's, and filled as far as it went after a failure. */
int documents_parse(struct scope *scope, char *const *files, struct yaml_documents **ret,
		    struct error *err);
int documents_merge(struct scope *scope, struct yaml_documents *documents, char *const *files,
		    struct node **ret, struct error *err);
/* Both: the loader's `load_files`. */
int documents_load(struct scope *scope, char *const *files, struct node **ret, struct error *err);
void documents_free(struct yaml_documents *documents, char *const *files);

#endif
