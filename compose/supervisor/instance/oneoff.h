/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_INSTANCE_ONEOFF_H
#define COMPOSE_SUPERVISOR_INSTANCE_ONEOFF_H

/*
 * oneoff.h - `run`: containers beside those of a service, each for one client.
 *
 * In the foreground a container's stdout and stderr are pipes that the client made and reads, or
 * its terminal's master is the client's: we are not in between, and our death is not noticed. What
 * the client shows it also writes into other pipes, which the log reads. When the client is gone
 * for good (it left, or did not come back to a new supervisor) the log reads what it would have
 * read, so that the program never waits for a reader.
 *
 * A container that is to be removed at its end goes when its client knows how it ended, or when no
 * client came for that in a while.
 */

#include <jansson.h>
#include <stddef.h>

struct connection;
struct instance;
struct oneoffs;
struct supervisor;

struct oneoffs *oneoffs_new(struct supervisor *supervisor);
/* At start, all containers being found again. */
void oneoffs_settle(struct oneoffs *oneoffs);

/* Request `run`; @fds are borrowed. */
void oneoff_request(struct oneoffs *oneoffs, struct connection *connection, const char *id,
		    const json_t *request, const int *fds, size_t count);

/* The client's descriptors, @count of them, into @to[RUN_FDS] as copies. */
void oneoff_keep(int *to, const int *fds, size_t count);
/* It is about to start: for its client if there is one, else as any other. */
void oneoff_take(struct instance *instance, int *fds);

/* The container in the foreground has its terminal: the client gets it before the program runs. */
void oneoff_terminal(struct instance *instance);
void oneoff_instance_changed(struct instance *instance);

#endif
