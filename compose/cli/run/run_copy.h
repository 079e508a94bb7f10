/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_RUN_RUN_COPY_H
#define COMPOSE_CLI_RUN_RUN_COPY_H

/*
 * run_copy.h - what a program in the foreground says: to our own stdout and stderr, and beside that
 * into pipes that its log reads.
 *
 * The pipes are ours, so that the bytes pass through nobody else, and neither a killed supervisor
 * nor a killed keeper is noticed in them. Where our stdout and stderr are the same file, so are the
 * program's, that the order of what it says is kept; the log has it as stdout then.
 */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

#include "compose/control/requests.h"

#define RUN_COPY_POLLS 6

struct run_copy;

struct run_copy_way {
	bool terminal;             /* whose master comes later: only the log's is copied here */
	bool no_stdout, no_stderr; /* for the log alone */
};

/* @ret is to be freed in either case. */
int run_copy_new(const struct run_copy_way *way, struct run_copy **ret, struct error *err);
void run_copy_free(struct run_copy *copy);

/* What goes with request `run`, @input being its stdin; borrowed. How many. */
size_t run_copy_fds(const struct run_copy *copy, int input, int fds[RUN_FDS]);

/* What to wait for; how many. Then run_copy_work() does what can be done without waiting. */
size_t run_copy_polls(struct run_copy *copy, struct pollfd polls[RUN_COPY_POLLS]);
void run_copy_work(struct run_copy *copy);

/*
 * The number (1: stdout, 2: stderr) of one that cannot be written to any more, told once: the
 * program is to meet that, too. 0: none.
 */
int run_copy_broken(struct run_copy *copy);

/* The program has ended: copies the rest, until @interrupt (or negative) is readable. */
void run_copy_rest(struct run_copy *copy, int interrupt);

/* From a terminal: @size bytes for the log. They may be lost where nobody reads it any more. */
void run_copy_log(struct run_copy *copy, const void *data, size_t size);

#endif
