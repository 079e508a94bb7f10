/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_INSTANCE_HANDOVER_H
#define COMPOSE_SUPERVISOR_INSTANCE_HANDOVER_H

/*
 * handover.h - a container takes over from one that still runs (plan/handover.c has the order).
 *
 * Until then it stands by: it runs and is probed, but no name and no published port leads to it.
 * The switch is one firewall transaction and the names with it, and each moment has somebody to
 * answer: sockets stay open, what is connected stays connected. Then the old one is drained: it
 * runs on until nobody is connected to a port that it listens on.
 */

#include <stdint.h>

#include "common/error.h"

struct instance;

/* @to has what @from had; both run. On failure nothing has changed. */
int handover_switch(struct instance *to, struct instance *from, struct error *err);

/* Begins to wait, for @limit_usec at most; executor_instance_changed() when it is over. */
int drain_start(struct instance *instance, int64_t limit_usec, struct error *err);
void drain_stop(struct instance *instance);

#endif
