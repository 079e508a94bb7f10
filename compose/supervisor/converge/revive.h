/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_CONVERGE_REVIVE_H
#define COMPOSE_SUPERVISOR_CONVERGE_REVIVE_H

/*
 * revive.h - the request that nobody sent: to start what ran when the machine (or the keeper with
 * all containers) went down.
 */

struct converge;
struct supervisor;

/* NULL: there is nothing to start. */
struct converge *revive_new(struct supervisor *supervisor);
/*
 * What was tried and failed is left to its restart policy; what was not even tried (a client came
 * in between) is tried when the clients are done.
 */
void revive_end(struct converge *converge);

#endif
