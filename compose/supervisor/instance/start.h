/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_INSTANCE_START_H
#define COMPOSE_SUPERVISOR_INSTANCE_START_H

/*
 * start.h - one birth of a container, from its image and service to the running program.
 *
 * The order is what makes it crash-safe: clone, write down pid and start time, store the child's
 * report and the pipes' read ends at the keeper, and only then let the child go. So a supervisor
 * that comes later reads in the report whether the program ever ran, and has the descriptors that
 * nobody had taken out of it yet.
 */

#include "common/units.h"

#include "compose/supervisor/instance/instance.h"

/* A birth that an earlier supervisor began is over within milliseconds, mostly. */
#define START_PATIENCE_USEC (2 * (int64_t)USEC_PER_SEC)

/*
 * 0: cloned and let go, and the state machine hears INSTANCE_EXECUTED or INSTANCE_FAILED; or its
 * slice is not there yet: INSTANCE_ENTERING, and instance_entered() follows.
 */
int start_begin(struct instance *instance, struct error *err);
/* From INSTANCE_ENTERING on, where @err has no code; if it has, there is no such start. */
int start_entered(struct instance *instance, struct error *err);
/*
 * Makes a birth ready that nobody sees yet, as far as that can be: the child waits behind its last
 * step but one for start_begin() to write it down and let it go. For a container that never ran,
 * and into which nothing goes that others might change meanwhile. Where it is not possible, or
 * fails, start_begin() does everything, and says why not.
 */
void start_ahead(struct instance *instance);
/* It will not be started now. */
void start_ahead_drop(struct instance *instance);
/*
 * The same birth for the next supervisor, by its report, which is taken. Waits a moment: EXECUTED,
 * FAILED (why is noted at the instance), ORPHANED (nothing has run), or PENDING, which is then for
 * start_watch().
 */
enum birth_news start_resume(struct instance *instance, int report_fd);
int start_watch(struct instance *instance, struct error *err);
/* Reads what the birth reported so far. */
void start_poll(struct instance *instance);
/* Closes what belongs to a birth. */
void start_done(struct instance *instance);

/* Copies of its stdout and stderr from now on, for a client; takes both. */
void start_attach(struct instance *instance, int fds[2]);
/* Of its `logging`. */
struct log_options;
int start_log_options(const struct service *service, struct log_options *ret, struct error *err);
/* The pump for the container's log, with no stream yet. */
int start_open_log(struct instance *instance, struct error *err);

/* The sockets (udp, tcp; taken) at which it asks for names: kept, and answered from now on. */
void start_take_dns(struct instance *instance, const int fds[2]);

#endif
