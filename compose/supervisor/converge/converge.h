/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_CONVERGE_CONVERGE_H
#define COMPOSE_SUPERVISOR_CONVERGE_CONVERGE_H

/*
 * converge.h - one request `converge` at work: what was asked, the plan that answers it, how far
 * each operation is, and the client that hears of it.
 *
 * An operation may begin when its prerequisites are done; one that fails takes those that wait for
 * it with it. When that is looked at is the executor's to say, what an operation does stands in
 * operations.h.
 */

#include <jansson.h>
#include <stdbool.h>

#include "common/error.h"

#include "compose/control/requests.h"
#include "compose/supervisor/converge/options.h"
#include "compose/supervisor/executor.h"

struct attachment;
struct instance;

enum run_state { RUN_WAITING, RUN_RUNNING, RUN_DONE, RUN_FAILED, RUN_SKIPPED };

struct operation_run {
	enum run_state state;
	int64_t ready_usec, begun_usec, ended_usec; /* monotonic; 0: not, or ready at once */
	size_t last;           /* 1 + the prerequisite that it waited for last; 0: for none */
	bool birth;            /* counts among the births under way */
	bool ahead;            /* its birth was made ready, or tried to be */
	bool warned;           /* of a wait: that what it waits for fails again and again */
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
	json_t *coming; /* converge/coming.h: images by name, with what was told of each; or NULL */
	json_t *gathered; /* control/timeline.h: what its client pulled and built before; or NULL */
	struct parsed_options parsed;
	bool dry_run, begun;
	int64_t begun_usec;   /* monotonic */
	bool urgent;          /* takes no turn */
	bool tell_grace;      /* somebody watches it stop */
	bool revive;          /* ours: see executor_revive() */
	bool abandoned;       /* not all of it was tried */
	bool told_of_way;     /* that there is none out of an ordinary user's networks */
	const char **revived; /* ids */
	struct model *model;
	struct {
		struct model *model; /* the project, with the service as `run` wants it */
		bool use_aliases, foreground, auto_remove;
		int fds[RUN_FDS]; /* its client's */
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
	bool tidied; /* the removed containers' files go already */
};

/* @request is taken. */
struct converge *converge_new(struct supervisor *supervisor, json_t *request);
void converge_free(struct converge *converge);

/* What the client hears. @event is taken. */
void converge_tell(struct converge *converge, json_t *event);
void converge_warn(struct converge *converge, const char *text);
void converge_progress(struct converge *converge, const char *object, const char *status,
		       const char *text, const char *details);
/* The same of an operation that failed, with whose service is to blame. */
void converge_failed(struct converge *converge, const struct operation *operation,
		     const struct error *err);

/* The project that the plan was made for. */
const struct project *converge_project(const struct converge *converge);
/* Of one of its operations; NULL: there is none (any more). */
struct instance *converge_instance(const struct converge *converge,
				   const struct operation *operation);

/* Begins all operations that may begin now. */
void converge_begin_operations(struct converge *converge);
/*
 * Makes the birth of one container ready (start.h) whose start waits for nothing but the health of
 * others, which run already; @limit of them at the same time. False: there is none.
 */
bool converge_begin_ahead(struct converge *converge, size_t limit);
/* Those that were not started after all. */
void converge_drop_ahead(struct converge *converge);
/* Operation @index, which runs, is at its end: done, or failed where @err (may be NULL) says so. */
void converge_finish_operation(struct converge *converge, size_t index, const struct error *err);

#endif
