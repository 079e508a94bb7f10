/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_KEEPER_KEEPER_LINK_H
#define COMPOSE_SUPERVISOR_KEEPER_KEEPER_LINK_H

/*
 * keeper_link.h - the keeper's side of its socket pair (keeper_protocol.h): the descriptors that it
 * keeps for the supervisor, and the exits that it has not been told to forget. Both outlive any
 * supervisor.
 */

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "common/error.h"

#include "compose/supervisor/keeper/keeper_store.h"

struct keeper_packet;

struct keeper_link {
	/*
	 * Both ends: what a supervisor sent and died after is still read from ours, and what it
	 * did not read any more is emptied out of its end before the next one starts.
	 */
	int ours, theirs;
	bool leave; /* it asks us to end; the caller's to reset */
	bool alive; /* it says that its loop goes round; the caller's to reset */

	struct keeper_store store;
	bool listing;
	size_t list_next;
	bool full; /* descriptors came that we have no room for; to be said */

	struct keeper_packet *exits; /* not acknowledged yet, in order */
	size_t exit_count, exit_sent;
	uint64_t sequence;
};

int keeper_link_open(struct keeper_link *link, struct error *err);
/* Reads all there is. */
void keeper_link_receive(struct keeper_link *link);
/* Sends what waits as far as the socket takes it; true when something is left. */
bool keeper_link_send(struct keeper_link *link);
/* The next supervisor begins: what the one before did not read, this one is not to read either. */
void keeper_link_renew(struct keeper_link *link);
/* A process has ended, of which the supervisor is to hear. */
void keeper_link_note_exit(struct keeper_link *link, const siginfo_t *info, uint64_t start_ticks,
			   const struct rusage *usage);

#endif
