/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_KEEPER_KEEPER_WATCHDOG_H
#define COMPOSE_SUPERVISOR_KEEPER_KEEPER_WATCHDOG_H

/*
 * keeper_watchdog.h - systemd's watchdog (sd_watchdog_enabled(3)) for the two of us: the supervisor
 * says in time that its loop goes round, and the keeper passes that on. A supervisor that falls
 * silent is killed in half the time that systemd would give us, and the next one finds the
 * containers as they are: systemd itself only ever ends a keeper that hangs.
 */

#include <stdbool.h>
#include <stdint.h>

struct keeper_watchdog {
	int64_t limit_usec; /* WATCHDOG_USEC; 0: nobody watches us */
	int64_t heard_usec; /* when the supervisor last said so; 0: never, it may be older */
	int64_t told_usec;
};

void keeper_watchdog_init(struct keeper_watchdog *watchdog);
/* The supervisor has begun, or ended: what the one before said does not count. */
void keeper_watchdog_changed(struct keeper_watchdog *watchdog);
/* It says that its loop goes round. */
void keeper_watchdog_heard(struct keeper_watchdog *watchdog);
/* True: it has been silent for too long. To be called when poll() has waited long enough. */
bool keeper_watchdog_expired(struct keeper_watchdog *watchdog);
/* For poll(); @timeout as it would be without us. */
int keeper_watchdog_timeout(const struct keeper_watchdog *watchdog, int timeout);

#endif
