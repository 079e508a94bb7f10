/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_TREE_JSON_NODE_H
#define COMPOSE_TREE_JSON_NODE_H

/* json_node.h - between JSON values and nodes; positions are lost one way and absent the other. */

#include <jansson.h>

#include "compose/tree/node.h"

#define JSON_NODE_DEPTH_MAX 100

/* NULL when it is nested deeper than JSON_NODE_DEPTH_MAX. */
struct node *json_to_node(const json_t *json);
/* New reference. What is not UTF-8 is replaced, for JSON cannot carry it. */
json_t *node_to_json(const struct node *node);

#endif
