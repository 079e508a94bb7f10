/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_KEEPER_KEEPER_PROTOCOL_H
#define COMPOSE_SUPERVISOR_KEEPER_KEEPER_PROTOCOL_H

/*
 * keeper_protocol.h - what keeper and supervisor say to each other, one packet a thought.
 *
 * A packet is this header and, where it speaks of descriptors, their names, each ended by a
 * newline; the descriptors ride along in the same order. Both ends are the same machine and
 * mostly the same program; after an upgrade the supervisor may be newer, so fields are only added
 * at the end and unknown types are skipped.
 */

#include <stdint.h>

#include "common/fd.h"

enum keeper_packet_type {
	/* supervisor to keeper */
	KEEPER_STORE = 1, /* keep these under these names; an old one of a name is closed */
	KEEPER_DROP,      /* close those named; "X:*" drops all that start with "X:" */
	KEEPER_LIST,      /* send the exits, all stored descriptors, then KEEPER_LISTED */
	KEEPER_ACK,       /* exits up to `sequence` are written down: forget them */
	KEEPER_EXIT,      /* end, once the supervisor and all other children are gone */
	KEEPER_ALIVE,     /* the loop goes round: see keeper_watchdog.h */
	/* keeper to supervisor */
	KEEPER_FDS = 64,
	KEEPER_LISTED,
	KEEPER_EXITED,
	KEEPER_FULL, /* descriptors of a KEEPER_STORE are lost: the limit of open files */
};

struct keeper_packet {
	uint32_t type;
	int32_t pid;
	int32_t code;   /* CLD_EXITED, CLD_KILLED, CLD_DUMPED */
	int32_t status; /* exit code or signal */
	uint64_t sequence;
	uint64_t start_ticks; /* of that pid: process_start_time() */
	uint64_t user_usec, system_usec, max_rss_kib;
	int64_t time_nsec; /* when it was reaped, CLOCK_REALTIME */
};

#define KEEPER_NAME_MAX 128
/* Names of sockets that are listened at for services: systemd's and our own; see sockets.h. */
#define SOCKET_GIVEN_PREFIX "listen:"
#define SOCKET_OWN_PREFIX   "socket:"
#define KEEPER_NAMES_MAX    (FD_PASS_MAX * KEEPER_NAME_MAX)
#define KEEPER_PACKET_MAX   (sizeof(struct keeper_packet) + KEEPER_NAMES_MAX)

#endif
