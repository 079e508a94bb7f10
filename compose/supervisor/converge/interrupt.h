/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_CONVERGE_INTERRUPT_H
#define COMPOSE_SUPERVISOR_CONVERGE_INTERRUPT_H

/*
 * interrupt.h - requests that end before all is done: others that stop containers come in between,
 * or nobody waits for their answer any more.
 */

#include <stdbool.h>

struct converge;

/* Whether @by is of the kind that ends those before it. */
bool interrupt_wanted(const struct converge *by);
/* What takes all away is ended by its like only: a shorter grace, say. */
bool interrupt_may(const struct converge *by, const struct converge *converge);
/* It begins nothing more, waits for nothing more, and fails with "interrupted by ...". */
void interrupt_by(struct converge *converge, const struct converge *by);

/* Drops what was only done for a client that has left. */
void interrupt_unwatched(struct converge *converge);

#endif
