/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_PROBES_PROBER_PROTOCOL_H
#define COMPOSE_SUPERVISOR_PROBES_PROBER_PROTOCOL_H

/*
 * prober_protocol.h - what supervisor and prober say to each other, one packet a thought.
 *
 * Both are the same program: the supervisor starts its prober by /proc/self/exe.
 */

#include <stdint.h>

enum prober_order_type {
	/*
	 * The bytes of exec_pack() follow, or come in the second descriptor (a memory file) where
	 * they are more than PROBER_INLINE_MAX; the first is a pidfd of the container.
	 */
	PROBER_RUN = 1,
	PROBER_KILL,
};

struct prober_order {
	uint32_t type;
	uint32_t reserved;
	uint64_t id;
};

/* What the program wrote follows. */
struct prober_answer {
	uint64_t id;
	int32_t exit_code; /* as a shell has it: 128 + signal when one ended it */
	int32_t not_run;   /* it could not be run: what follows says why */
};

#define PROBER_INLINE_MAX ((size_t)16 << 10)
#define PROBER_ORDER_MAX  (sizeof(struct prober_order) + PROBER_INLINE_MAX)
#define PROBER_SPEC_MAX   ((size_t)16 << 20)
#define PROBER_OUTPUT_MAX ((size_t)4096)

#endif
