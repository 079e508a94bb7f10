/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_CONVERGE_TIMELINE_H
#define COMPOSE_SUPERVISOR_CONVERGE_TIMELINE_H

/*
 * timeline.h - when each operation of the last start was ready, begun and ended, for
 * `berth timeline` (compose/control/timeline.h says in which form).
 */

struct converge;

/* Writes it if @converge, which is at its end, started something; a failure is logged. */
void timeline_note(const struct converge *converge);

#endif
