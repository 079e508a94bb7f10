/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_PLAN_UP_H
#define COMPOSE_PLAN_UP_H

/*
 * up.h - the parts of `up` and `create`, which only they know: the fate of each container
 * (up_decide.c) with what differs (up_changes.c), the networks and volumes (up_objects.c), and the
 * operations that a fate comes to (up_steps.c). up.c calls them in order.
 */

#include "common/json.h"
#include "common/map.h"

#include "compose/plan/operations.h"

enum fate {
	FATE_KEEP,
	FATE_START, /* it is there and does not run */
	FATE_UNPAUSE,
	FATE_CREATE,
	FATE_RECREATE,
	FATE_RESTART, /* it runs, and something it needs with `restart: true` is made anew */
	FATE_REMOVE,
};

struct slot {
	enum fate fate;
	const struct fact_container *fact; /* NULL with FATE_CREATE */
	char *name, *cause;
	unsigned int number;
	bool diverged, oneoff;
	bool beside;        /* it is replaced while it runs: handover.c */
	char *update_cause; /* it stays, and is given what changed; NULL: nothing */
	size_t create, stop, remove,
		ready; /* operations; ready: after it the container can start */
};

struct slots {
	struct slot *items;
	size_t count;
	bool replaced; /* one of them is made anew */
	struct handovers handovers;
};

struct up {
	struct planning *planning;
	struct slots *services; /* as the graph's nodes */
	struct map replaced_ids;
	struct map changed_networks, network_ready, volume_ready; /* by name; to index + 1 */
	struct map images_awaited;                                /* the same */
	json_t *canonical; /* of the project; made when a cause has to be named */
};

/* The containers of @node, those that are there and those that will be. */
struct slots *up_slots(const struct up *up, const struct graph_node *node);
/* The @i-th of the graph's order, or from its end. */
const struct graph_node *up_node(const struct up *up, size_t i, bool backwards);

/* Walks the slots of all selected services; backwards: those that need others come first. */
#define up_foreach_slot(up, node, slot, backwards)                                                 \
	for (size_t i_ = 0; i_ < (up)->planning->graph->count; i_++)                               \
		for (const struct graph_node *node = up_node(up, i_, backwards); node;             \
		     node = NULL)                                                                  \
			for (struct slot *slot = up_slots(up, node)->items;                        \
			     slot && slot < up_slots(up, node)->items + up_slots(up, node)->count; \
			     slot++)

/* Gives every container of the selected services its fate. */
int up_decide(struct up *up, struct error *err);

/* What differs, down to single values, with the image that the same name now means; caller's. */
json_t *up_changes(struct up *up, const struct graph_node *node, const struct fact_container *fact);
/* "environment, image changed": caller's to free. */
char *up_difference_cause(struct up *up, const struct graph_node *node,
			  const struct fact_container *fact);
/* The same of @changes (up_changes()), for a container that stays; caller's to free. */
char *up_update_cause(const json_t *changes);
/* All that differs can be given to the container as it stands. */
bool up_can_be_updated(const struct up *up, const struct graph_node *node,
		       const struct fact_container *fact);

/* Plans the networks and volumes that are missing, and notes the networks that changed. */
int up_objects_plan(struct up *up, struct error *err);
/* @operation comes after those that make what @service needs. */
void up_objects_before(struct up *up, size_t operation, const struct service *service);
/* Makes anew the networks that changed, once the containers in them are removed. */
void up_objects_replace_networks(struct up *up);
/* A network of @fact that is made anew; NULL: none. */
const char *up_changed_network(const struct up *up, const struct fact_container *fact);

/* One step of one container each; they note their operation in @slot. */
void up_step_create(struct up *up, const struct graph_node *node, struct slot *slot);
void up_step_stop(struct up *up, const struct graph_node *node, struct slot *slot);
void up_step_remove(struct up *up, struct slot *slot);
void up_step_rename(struct up *up, const struct graph_node *node, struct slot *slot);
void up_step_late_rename(struct up *up, const struct graph_node *node, struct slot *slot);
int up_step_start(struct up *up, struct waits *waits, const struct graph_node *node,
		  struct slot *slot, struct error *err);
int up_step_handover(struct up *up, struct waits *waits, const struct graph_node *node,
		     struct slot *slot, struct error *err);

#endif
