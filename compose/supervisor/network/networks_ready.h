/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_NETWORK_NETWORKS_READY_H
#define COMPOSE_SUPERVISOR_NETWORK_NETWORKS_READY_H

/*
 * networks_ready.h - makes sure, once a supervisor, that a network's bridge is in the kernel.
 */

#include "common/error.h"

struct network_info;
struct supervisor;

/* What network @name is, ready to be attached to. Borrowed. */
const struct network_info *networks_ready(struct supervisor *supervisor, const char *name,
					  struct error *err);

#endif
