/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_CONVERGE_NETWORKS_H
#define COMPOSE_SUPERVISOR_CONVERGE_NETWORKS_H

/*
 * networks.h - the operations on networks. Removals that may go together do, and so do the
 * addresses that removed containers give back.
 */

#include <stddef.h>

#include "common/error.h"

#include "netmgr/network.h"

#include "compose/model/project.h"

struct converge;
struct operation;

/* What a network of the project is to be made with, but for its labels. */
struct network_wish {
	struct network_options options;
	struct network_pool *pools;
	json_t *driver_opts, *addresses;
};

void network_wish_init(struct network_wish *wish, const struct network *network);
void network_wish_done(struct network_wish *wish);

int networks_create(struct converge *converge, const struct operation *operation,
		    struct error *err);
/* Others may use it (external to them, or a container of another project): that is no failure. */
int networks_remove(struct converge *converge, size_t index, struct error *err);
/* Gives back what the containers removed so far had. */
void networks_release(struct converge *converge);

#endif
