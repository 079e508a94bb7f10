/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_OPERATIONS_H
#define COMPOSE_SUPERVISOR_OPERATIONS_H

/*
 * operations.h - what each kind of operation does, when it is done, and what users see of it.
 *
 * The executor knows the order, this file the deeds.
 */

#include "compose/supervisor/executor.h"
#include "compose/supervisor/options.h"

enum run_state { RUN_WAITING, RUN_RUNNING, RUN_DONE, RUN_FAILED, RUN_SKIPPED };

struct operation_run {
	enum run_state state;
	int64_t ready_usec, begun_usec, ended_usec; /* monotonic; 0: not, or ready at once */
	size_t last;           /* 1 + the prerequisite that it waited for last; 0: for none */
	bool birth;            /* counts among the births under way */
	size_t unmet;          /* prerequisites not yet done */
	void *job;             /* a child works on it, and this is its context */
	struct error *removal; /* of a network that went together with another: how that ended */
};

/* One request `converge` at work. */
struct converge {
	struct converge *next;
	struct supervisor *supervisor;
	char id[33];
	json_t *request; /* until it is begun */
	json_t *options_json;
	json_t *coming; /* coming.h: images by name, with what was told of each; or NULL */
	struct parsed_options parsed;
	bool dry_run, begun;
	int64_t begun_usec;   /* monotonic */
	bool urgent;          /* takes no turn */
	bool tell_grace;      /* somebody watches it stop */
	bool revive;          /* ours: see executor_revive() */
	bool abandoned;       /* not all of it was tried */
	const char **revived; /* ids */
	struct model *model;
	struct {
		struct model *model; /* the project, with the service as `run` wants it */
		bool use_aliases, foreground, auto_remove;
		int stdio[3];
	} oneoff;
	struct plan *plan;
	struct operation_run *runs;
	size_t parallel; /* at most so many at the same time; 0: no bound */
	size_t waiting;  /* operations not yet at their end */
	struct error err;
	struct executor_listener listener;
	struct model *before;         /* of those that handed over; NULL: none did */
	struct error failure;         /* a rollback: why there is one */
	struct attachment **released; /* of removed containers, given back in one go */
	size_t released_count;
};

void operation_begin(struct converge *converge, size_t index);
/* Ends a job that makes something, which is then half made: whoever needs it makes it anew. */
void operation_cancel(struct converge *converge, size_t index);
/* @instance changed (NULL: something else): is the operation, which is running, thereby done? */
void operation_look(struct converge *converge, size_t index, struct instance *instance);
void operation_report_end(struct converge *converge, size_t index, const struct error *err);
void operations_release_networks(struct converge *converge);

/* The executor's, for the operations. @event is taken. */
void converge_tell(struct converge *converge, json_t *event);
void converge_warn(struct converge *converge, const char *text);
void converge_progress(struct converge *converge, const char *object, const char *status,
		       const char *text, const char *details);
void converge_finish_operation(struct converge *converge, size_t index, const struct error *err);
void executor_step(struct executor *executor);
/* @from is about to hand over: what it was made from is what a rollback goes back to. */
void converge_note_handover(struct converge *converge, const struct instance *from);
/* Looks at running waits again in so long. */
void executor_look_later(struct executor *executor, uint64_t usec);

#endif
