/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_ONEOFF_H
#define COMPOSE_SUPERVISOR_ONEOFF_H

/*
 * oneoff.h - `run`: containers beside those of a service, each for one client.
 *
 * In the foreground a container's stdout and stderr are the client's own descriptors, or its
 * terminal's master is: the kernel passes the bytes, at its own pace, and they reach no log. When
 * the client is gone for good (it left, or did not come back to a new supervisor) what is said on
 * a terminal goes to the log instead, so that the program never waits for a reader.
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

/* The container in the foreground has its terminal: the client gets it before the program runs. */
void oneoff_terminal(struct instance *instance);
void oneoff_instance_changed(struct instance *instance);

#endif
