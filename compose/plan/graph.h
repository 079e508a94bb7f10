/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_PLAN_GRAPH_H
#define COMPOSE_PLAN_GRAPH_H

/*
 * graph.h - services and who needs whom, from the project and from the containers there are.
 *
 * A service that only has containers (it left the file, or there is no file) takes its dependencies
 * from what its containers were made from, so that stopping keeps the order it was started in.
 */

#include "common/map.h"

#include "compose/plan/plan.h"

struct graph_edge {
	size_t to; /* index of the node that is needed */
	enum condition condition;
	bool restart, required;
};

struct graph_node {
	const char *name;               /* borrowed */
	const struct service *service;  /* NULL: not in the project */
	const struct fact_image *image; /* NULL: not told */
	size_t *getting; /* operations that get its images; counted by getting_count */
	size_t getting_count;
	const struct fact_container **containers; /* by number; one-offs last */
	size_t container_count;
	struct graph_edge *needs;
	size_t need_count;
	size_t *needed_by; /* indices */
	size_t needed_by_count;
	bool named;    /* the user selected it by name, or nobody named any */
	bool selected; /* named, or needed by one that is */
};

struct graph {
	struct graph_node *nodes;
	size_t count;
	size_t *order;      /* indices, needed ones first */
	struct map by_name; /* to index + 1 */
};

/* @project may be NULL. Fails on a cycle: "dependency cycle detected: a -> b -> a". */
int graph_new(const struct project *project, const struct facts *facts, struct graph **ret,
	      struct error *err);
void graph_free(struct graph *graph);

struct graph_node *graph_find(const struct graph *graph, const char *name);

/*
 * Marks the nodes of @services (NULL: all) and, with @dependencies, all that these need.
 * "no such service: X", unless @lenient.
 */
int graph_select(struct graph *graph, const char *const *services, bool dependencies, bool lenient,
		 struct error *err);

/* Also marks, again and again, those that need a marked one with `restart: true`. */
void graph_select_restarting(struct graph *graph);

#endif
