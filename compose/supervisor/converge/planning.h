/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_CONVERGE_PLANNING_H
#define COMPOSE_SUPERVISOR_CONVERGE_PLANNING_H

/*
 * planning.h - from a request to the plan that answers it.
 *
 * Nothing is written before the plan is made and the ports that it takes are found free: a request
 * that cannot be carried out changes nothing.
 */

#include <stdbool.h>

#include "common/error.h"

struct check_wish;
struct converge;
struct operation;

/* Makes the plan, takes over the project where it is asked to, and gets ready to run. */
int planning_begin(struct converge *converge, struct error *err);
/* What an operation that makes or updates a container wants of its service; false: it is none. */
bool planning_wish(const struct converge *converge, const struct operation *operation,
		   struct check_wish *ret);
/* What the operations are about to stop does not stand in the way of what they start. */
void planning_mark_leaving(struct converge *converge, bool leaving);

#endif
