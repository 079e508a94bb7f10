/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_START_H
#define COMPOSE_SUPERVISOR_START_H

/*
 * start.h - one birth of a container, from its image and service to the running program.
 *
 * The order is what makes it crash-safe: clone, write down pid and start time, store the pipes'
 * read ends at the keeper, and only then let the child go.
 */

#include "compose/supervisor/instance.h"

/* 0: cloned and let go; the state machine hears INSTANCE_EXECUTED or INSTANCE_FAILED. */
int start_begin(struct instance *instance, struct error *err);
/* Reads what the birth reported so far. */
void start_poll(struct instance *instance);
/* Closes what belongs to a birth. */
void start_done(struct instance *instance);

/* The pump for the container's log, with no stream yet. */
int start_open_log(struct instance *instance, struct error *err);

struct stdio_pipe {
	int ours, theirs;
};
/* A pipe whose side in the container never breaks, even if nobody holds ours (SIGPIPE). */
int start_pipe(struct stdio_pipe *ret, struct error *err);

#endif
