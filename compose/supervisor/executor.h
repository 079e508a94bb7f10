/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_EXECUTOR_H
#define COMPOSE_SUPERVISOR_EXECUTOR_H

/*
 * executor.h - carries plans out: each operation as soon as its prerequisites are done.
 *
 * One plan at a time, in the order they were asked for. An operation that fails takes those that
 * wait for it with it, the others go on, and the request fails with the first error. The client
 * may leave: what was begun is finished. A container that waits for nothing but the health of
 * others is made ready meanwhile, unseen (start.h).
 *
 * What stops containers does not wait for its turn: it ends the requests before it, which begin
 * nothing more, wait for nothing more and fail with "interrupted by ...". A kill does not even wait
 * for what those have under way.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

struct converge;
struct executor;
struct instance;
struct model;
struct supervisor;

/* What the asking client hears; the context may be gone (client left), then it is not called. */
struct executor_listener {
	void (*event)(void *context, json_t *event); /* borrowed */
	/* Ended: @err has code 0 when all went well. Called once. */
	void (*done)(void *context, const struct error *err, int exit_code, json_t *plan_text);
	void *context;
};

struct executor *executor_new(struct supervisor *supervisor);
void executor_free(struct executor *executor);

/*
 * Queues the request `converge`: {options, project, dry_run}. @request_id: the client's, by which
 * a repeated request is recognised. @fds: stdin, stdout and stderr of a one-off container, or
 * none; borrowed. Fails only for what is malformed.
 */
int executor_converge(struct executor *executor, const json_t *request, const char *request_id,
		      const int *fds, size_t count, const struct executor_listener *listener,
		      struct error *err);
/*
 * Starts what ran when the machine (or the keeper with all containers) went down, in the order of
 * the project. Whatever clients ask for comes first.
 */
void executor_revive(struct executor *executor);

/* Answers those whose `down` left nothing: when all is gone, or when something keeps us. */
void executor_part(struct executor *executor);
bool executor_is_parting(const struct executor *executor, const void *context);

/* The client @context tells of an image that its request waits for (converge/coming.h). */
void executor_image_told(struct executor *executor, const void *context, const json_t *message);

/* Nobody listens any more. */
void executor_forget_listener(struct executor *executor, void *context);

void executor_instance_changed(struct executor *executor, struct instance *instance);
/* The program of @instance runs: what is left of its start keeps no other birth waiting. */
void executor_born(struct executor *executor, const struct instance *instance);
/*
 * Whether @instance, or the one that takes its place, is still to be started: as by a restart
 * between its stop and its start. That nothing came of it shows once events_settled() was told.
 */
bool executor_will_start(const struct executor *executor, const struct instance *instance);
/* Births under way: others may wait for the end of the group. */
size_t executor_births(const struct executor *executor);
/* The command at work (converge/converge.h), or NULL. */
const struct converge *executor_current(const struct executor *executor);
bool executor_idle(const struct executor *executor);
/* Stops everything, then calls supervisor_maybe_end(): SIGTERM. */
void executor_stop_all(struct executor *executor);

/*
 * For those who carry operations out (converge/): begins what may begin now, from the loop, ...
 */
void executor_step(struct executor *executor);
/* ... or, within a step, goes round once more. */
void executor_again(struct executor *executor);
/* Looks at running waits again in so long. */
void executor_look_later(struct executor *executor, uint64_t usec);
/* Births are bounded over all requests together. */
bool executor_birth_may_begin(const struct executor *executor);
void executor_birth_began(struct executor *executor);
void executor_birth_over(struct executor *executor);

#endif
