/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_TREE_YAML_H
#define COMPOSE_TREE_YAML_H

/*
 * yaml.h - YAML text to trees of nodes.
 *
 * Aliases become copies and merge keys (<<) are carried out, so what comes out is a plain tree.
 * Bounds: YAML_NODES_MAX nodes after aliases, YAML_DEPTH_MAX levels; files are bounded by whoever
 * reads them (YAML_SIZE_MAX). A key that stands twice in a mapping is an error.
 */

#include "compose/tree/node.h"

#define YAML_SIZE_MAX  (16 << 20)
#define YAML_NODES_MAX 100000
#define YAML_DEPTH_MAX 100

struct yaml_documents {
	struct node **items;
	size_t count;
};

/* Parses source->text. Empty documents are left out. */
int yaml_parse(const struct source *source, struct yaml_documents *ret, struct error *err);
void yaml_documents_done(struct yaml_documents *documents);

#endif
