/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_CONVERGE_ROLLBACK_H
#define COMPOSE_SUPERVISOR_CONVERGE_ROLLBACK_H

/*
 * rollback.h - back to what ran before, when an update of a service (update_config:
 * failure_action: rollback) failed after some of its replicas had handed over.
 */

struct converge;
struct instance;

/* @from is about to hand over: what it was made from is what a rollback goes back to. */
void rollback_note_handover(struct converge *converge, const struct instance *from);
/*
 * The services as their containers were before, brought up by the same means, for whoever waits
 * for the answer; which is the failure in any case. NULL: there is nothing to go back to.
 */
struct converge *rollback_new(struct converge *converge);
/* How it went is told with why there was one. */
void rollback_end(struct converge *converge);

#endif
