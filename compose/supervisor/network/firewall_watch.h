/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_NETWORK_FIREWALL_WATCH_H
#define COMPOSE_SUPERVISOR_NETWORK_FIREWALL_WATCH_H

/*
 * firewall_watch.h - another firewall, or an engine, that starts or is reloaded after us does not
 * cut our containers off: our rules are put back, a moment after the kernel told of it.
 */

#include "compose/supervisor/supervisor.h"

/* For as long as the supervisor lives. Without it all goes on, and a log line says so. */
void firewall_watch_start(struct supervisor *supervisor);

#endif
