/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_LOGS_LOG_SESSION_H
#define COMPOSE_CLI_LOGS_LOG_SESSION_H

/*
 * log_session.h - the logs of a project's containers, once or as they grow: `logs` and the
 * attached `up`. The lines come out of the files, or out of systemd's journal; the supervisor
 * only says who starts and ends.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

#include "compose/cli/client.h"
#include "compose/cli/logs/log_printer.h"

struct log_source {
	char *id, *service, *name, *path; /* name: as it is shown */
	struct log_reader *reader;        /* NULL: not shown, only watched */
	struct journal_reader *journal;   /* NULL: nothing of it is in the journal */
	struct log_pending {
		struct log_record record; /* valid when given */
		bool given;
	} pending[2]; /* of files, of the journal */
	bool running, ended;
	bool awaited; /* the session lasts as long as it runs */
	int exit_code;
	unsigned int color;
};

struct log_session {
	const char *project;
	char *const *services; /* whose containers belong here; NULL: all */
	char *const *shown;    /* of these, whose lines are shown; NULL: all */
	char *const *not_shown;
	char *const *awaited; /* for whose end the session waits; NULL: all */
	json_t *coming;       /* by id: containers that are made, and have not started */
	bool quiet_exits;     /* no "exited with code" */
	int index;            /* only this number; 0: all */
	/* Only this one (its id), one-off or not, under its whole name; NULL: as above. */
	const char *container;
	struct log_printer printer;
	struct log_reader_options options;
	struct log_source *sources;
	size_t count;
	struct client *events;     /* follow only */
	int64_t events_since_nsec; /* 0: from now on */
	bool in_doubt;             /* who runs by what we know may have been given up */
	int64_t last_event_nsec;   /* a new supervisor may tell the same again */
	/* Called for each container that has ended, its lines being printed; may be NULL. */
	void (*ended)(void *data, struct log_session *session, const struct log_source *source);
	void *data;
};

void log_session_done(struct log_session *session);

/* Asks who there is and opens their logs. */
int log_session_open(struct log_session *session, struct error *err);
/* Subscribes to events; before log_session_open(), so that nothing falls between. */
int log_session_follow(struct log_session *session, struct error *err);

/* Prints what is there, in the order of time over all containers. */
void log_session_drain(struct log_session *session);

struct pollfd;
/* As many as log_session_polls() fills in at most. */
size_t log_session_polls_max(const struct log_session *session);
/* Fills in descriptors to wait for. Their number. */
size_t log_session_polls(const struct log_session *session, struct pollfd *polls);
/* After poll(): prints and takes an event, if one is there. */
int log_session_work(struct log_session *session, bool event_ready, struct error *err);

/* Nothing runs any more: the rest of what was said and written, to its very end. */
void log_session_finish(struct log_session *session);

/*
 * How many containers that the session waits for are running, are made and not yet started (as one
 * that takes another's place), or will come back: when events say that none is left, the supervisor
 * is asked, for it, or a command at work, may be about to start one again.
 */
size_t log_session_running(struct log_session *session);

#endif
