/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_WATCH_WATCH_SESSION_H
#define COMPOSE_CLI_WATCH_WATCH_SESSION_H

/*
 * watch_session.h - `develop.watch` at work: `watch`, and an attached `up` beside its logs.
 *
 * Changes are gathered until none came for some milliseconds (longer before what stops a program
 * than before a copy), and then dealt with by a child process, one at a time: whoever draws logs
 * goes on drawing, and what changes meanwhile is dealt with next. What fails is told, and watching
 * goes on.
 */

#include "compose/cli/converge.h"
#include "compose/cli/watch/watch_rules.h"

struct watch_session;

struct watch_session_options {
	bool prune;        /* remove images that a rebuild replaced */
	bool quiet;        /* no output of builds */
	bool beside_logs;  /* our lines stand among those of containers */
	int64_t stop_usec; /* before a restart's kill; -1: each service's own */
};

/* Begins to watch; says "Watch enabled". @project must outlive it. The caller's to close. */
int watch_session_open(struct project_args *args, struct project *project, char *const *services,
		       const struct watch_session_options *options, struct watch_session **ret,
		       struct error *err);
/* Ends a child that is at work. NULL is fine. */
void watch_session_close(struct watch_session *session);

#define WATCH_SESSION_POLLS 2
struct pollfd;
/* @session may be NULL: then descriptors that never are ready. */
void watch_session_polls(const struct watch_session *session, struct pollfd *polls);
/* Milliseconds until it has something to do by itself; -1: never. */
int watch_session_timeout(const struct watch_session *session);
/* After poll(), whatever it said. Negative: it cannot go on. */
int watch_session_work(struct watch_session *session, struct error *err);

#endif
