/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_CONVERGE_WAITS_H
#define COMPOSE_SUPERVISOR_CONVERGE_WAITS_H

/*
 * waits.h - the operations that only wait: for what a service depends on, for what `--wait` asks,
 * and for the next step of an update.
 */

#include <stddef.h>

#include "common/error.h"

struct converge;
struct instance;
struct operation;

/*
 * 0: the condition holds, or can be done without (then with a warning); 1: not yet; negative: it
 * never will.
 */
int waits_look(struct converge *converge, const struct operation *operation,
	       const struct instance *instance, struct error *err);
/* Whether an update goes on; as above. */
int waits_proceed(struct converge *converge, size_t index, struct error *err);

#endif
