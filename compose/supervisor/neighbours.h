/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_NEIGHBOURS_H
#define COMPOSE_SUPERVISOR_NEIGHBOURS_H

/*
 * neighbours.h - containers of other projects, as their records on disk tell: for `container:NAME`
 * and `external_links`.
 */

#include <jansson.h>

#include "common/error.h"

struct neighbour {
	char *id, *name;
	json_t *attachment; /* see attachment_from_json(); may be NULL */
	int pidfd;          /* it runs */
};

/*
 * By name or id (12 digits or more). -ENOENT: no project of this machine has such a container.
 * -ESRCH: it does not run. neighbour_done() in any case.
 */
int neighbour_find(const char *name, struct neighbour *ret, struct error *err);
void neighbour_done(struct neighbour *neighbour);

#endif
