/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CONTROL_LOG_SPOOL_H
#define COMPOSE_CONTROL_LOG_SPOOL_H

/*
 * log_spool.h - what lies in the log's directory of a container whose lines go to systemd's
 * journal: how far they have come. The supervisor maps and writes it, clients read its beginning.
 *
 * Each entry has CONTAINER_LOG_EPOCH and CONTAINER_LOG_ORDINAL, which counts within an epoch. A
 * supervisor that was killed between sending an entry and saying so sends it again, under the same
 * number: readers pass over a number that they have seen.
 */

#include <stdint.h>

#define LOG_SPOOL_NAME  "journald.spool"
#define LOG_SPOOL_MAGIC UINT64_C(0x316c707368747262) /* "brthspl1" */
#define LOG_EPOCH_MAX   33
#define LOG_PART_BYTES  16384 /* longer lines are told in parts, as docker's are */

struct log_spool_state {
	uint64_t ordinal; /* of the last entry that the journal took; 0: none yet */
	int64_t nsec;     /* when the batch was read that was stored last, */
	uint64_t done;    /* and how much of it is stored */
	struct {
		uint32_t size; /* of what has no newline yet */
		uint32_t part; /* of a line in parts: those told already */
		char id[LOG_EPOCH_MAX];
	} streams[2];
};

struct log_spool {
	uint64_t magic;
	char epoch[LOG_EPOCH_MAX];
	uint32_t current; /* which state holds: replaced as a whole */
	struct log_spool_state states[2];
	char text[2][LOG_PART_BYTES]; /* of each stream */
};

#endif
