/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_NETWORK_NEIGHBOURS_H
#define COMPOSE_SUPERVISOR_NETWORK_NEIGHBOURS_H

/*
 * neighbours.h - containers of other projects, as their records on disk tell: for `container:NAME`,
 * `external_links` and `volumes_from`.
 */

#include <jansson.h>

#include "common/error.h"

#include "compose/model/project.h"

struct neighbour {
	char *id, *name;
	char *state;              /* its project's folder, below BERTH_ROOT/projects */
	char *service;            /* in its model */
	char *model;              /* the hash of what it was made from: see state.h */
	struct mapping anonymous; /* target: name of its anonymous volume */
	json_t *attachment;       /* see attachment_from_json(); may be NULL */
	int pidfd;                /* it runs */
};

/*
 * By name or id (12 digits or more). -ENOENT: no project of this machine has such a container.
 * -ESRCH: it does not run. neighbour_done() in any case.
 */
int neighbour_find(const char *name, struct neighbour *ret, struct error *err);
void neighbour_done(struct neighbour *neighbour);

/* The project that @neighbour, be it running or not, was made from: the caller's. */
int neighbour_project(const struct neighbour *neighbour, struct project **ret, struct error *err);

#endif
