/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_ADOPT_H
#define COMPOSE_SUPERVISOR_ADOPT_H

/*
 * adopt.h - containers that were there before this supervisor was.
 *
 * After a supervisor's death the keeper has their pipes and tells how they ended; after a keeper's
 * death there are only the records: pid and start time lead to a pidfd, and the pipe of a living
 * container is found again through its own /proc/PID/fd.
 */

#include "compose/supervisor/supervisor.h"

/* Opens a pidfd for every record that says it has a process. Before the keeper is asked. */
void adopt_find_processes(struct supervisor *supervisor);
/* Pumps, name servers, ports, probes and timers again. Before exits are looked at. */
void adopt_resume(struct supervisor *supervisor);
/* After the keeper's exits: whoever is gone without one has ended somehow. */
void adopt_give_up_lost(struct supervisor *supervisor);

#endif
