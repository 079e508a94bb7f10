/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_PLAN_OPERATIONS_H
#define COMPOSE_PLAN_OPERATIONS_H

/*
 * operations.h - adding operations to a plan that is being made; inside compose/plan only.
 */

#include "compose/plan/graph.h"

#define NO_OPERATION SIZE_MAX

/* What every step of the planning needs. */
struct planning {
	const struct project *project;
	const struct facts *facts;
	const struct plan_options *options;
	struct graph *graph;
	struct plan *plan;
};

/* Adds an operation on "Network|Volume|Container @name" and gives its index. */
size_t operation_add(struct plan *plan, enum operation_kind kind, const char *name,
		     const char *cause_format, ...) __attribute__((format(printf, 4, 5)));
/* The same on a container that exists. */
size_t operation_add_existing(struct plan *plan, enum operation_kind kind,
			      const struct fact_container *container, const char *cause);
/* @operation waits for @prerequisite; NO_OPERATION and doubles are ignored. */
void operation_after(struct plan *plan, size_t operation, size_t prerequisite);

void plan_warn(struct plan *plan, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Running in the sense that it has processes: stop has something to do. */
bool container_is_alive(const struct fact_container *container);
/* An init container (model/pre_start.h) that did what it was there for. */
bool container_is_done_with(const struct service *service, const struct fact_container *container);

/*
 * The new container of a recreation that was interrupted still has its temporary name (12 digits of
 * the old one's id before "_"). While the old one is there it is of no use to anybody.
 */
bool container_is_half_made(const struct graph_node *node, const struct fact_container *container);
/* The new container of such a recreation has taken over from this one already. */
bool container_is_replaced(const struct graph_node *node, const struct fact_container *container);
bool container_has_temporary_name(const struct fact_container *container);

/*
 * Whether the goal is for @container: one of those that are named by id; where none is, any that
 * belongs to the service, and a one-off one where @oneoffs are meant.
 */
bool container_is_meant(const struct planning *planning, const struct fact_container *container,
			bool oneoffs);

/* The service's sockets start it (x-berth.socket), and nobody depends on it. */
bool node_awaits_connections(const struct graph_node *node);

/* Images that are on their way (images.c). */
bool image_is_coming(const struct facts *facts, const char *image);
/* The first of those that @service needs, be it its own or mounted; NULL: none. */
const char *images_coming_for(const struct facts *facts, const struct service *service);
/*
 * Adds the waits for those of @service that are not in @awaited (by name, to index + 1) yet; then
 * @operation, which makes a container of it, comes after them.
 */
void images_await(struct planning *planning, struct map *awaited, const struct service *service);
void images_after(struct planning *planning, struct map *awaited, size_t operation,
		  const struct service *service);

/* Adds what gets the images of selected services, and says so in their nodes (due.c). */
void due_operations(struct planning *planning);
/* Its image is got or looked for again: what is known of the one that is here does not count. */
bool due_has_image(const struct graph_node *node);

/* One file a family of goals. */
int plan_up(struct planning *planning, struct error *err);
int plan_down(struct planning *planning, struct error *err);
int plan_start(struct planning *planning, struct error *err);
int plan_stop(struct planning *planning, struct error *err);
int plan_restart(struct planning *planning, struct error *err);
int plan_kill(struct planning *planning, struct error *err);
int plan_remove(struct planning *planning, struct error *err);
int plan_pause(struct planning *planning, struct error *err);
int plan_unpause(struct planning *planning, struct error *err);

/*
 * A container that is replaced while it runs (handover.c): `update_config.order: start-first`. The
 * new one is made under @temporary by @create, starts after @after, and takes over when it is
 * healthy; only then the old one, @old, is drained, stopped and removed. If it never is, it goes
 * again, and the old one stays.
 */
struct handover {
	const struct graph_node *node;
	const struct fact_container *old;
	const char *name, *temporary, *cause;
	unsigned int number;
	size_t create;
	const size_t *after;
	size_t after_count;
	size_t start, ready; /* results: it starts; it bears its name */
};
/* How far a service's handovers have come; {0} at first. */
struct handovers {
	size_t count, gate, *batch, batch_count;
};
/* Whether that is asked for, and can be. */
bool handover_wanted(const struct planning *planning, const struct graph_node *node);
void handover_plan(struct planning *planning, struct handovers *handovers,
		   struct handover *handover);

/* Waits before a start; shared by up and start (waits.c). */
struct waits;
struct waits *waits_new(struct planning *planning);
void waits_free(struct waits *waits);
/*
 * The operations that a start of @node has to wait for, as said by waits_add_container(); adds the
 * waits that are not there yet. *ret_after is the caller's to free.
 */
int waits_for_dependencies(struct waits *waits, const struct graph_node *node, size_t **ret_after,
			   size_t *ret_count, struct error *err);
/* Says which containers of a service there will be, with the operation that starts each. */
void waits_add_container(struct waits *waits, const struct graph_node *node, const char *name,
			 const char *id, unsigned int number, size_t start,
			 const struct fact_container *fact);
/* The waits that `--wait` ends with. */
void waits_for_all(struct waits *waits);

#endif
