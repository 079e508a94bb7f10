/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_EXEC_EXEC_INTERNAL_H
#define COMPOSE_SUPERVISOR_EXEC_EXEC_INTERNAL_H

/*
 * exec_internal.h - one session of exec.h: its record, its process and the clients that wait for
 * it (exec_session.c), or that all left (exec_drain.c). exec.c begins it, exec_resume.c finds it
 * again.
 */

#include <systemd/sd-event.h>

#include "runtime/container/container.h"

#include "compose/supervisor/exec/exec.h"

struct child;
struct process_exit;

#define EXEC_RECORD_MAX 4096

struct exec_session {
	struct exec_session *next;
	struct exec_sessions *sessions;
	char id[33];
	char container[65];
	pid_t pid;
	uint64_t start_ticks;
	bool tty, detach, over;
	bool unread; /* nobody reads its terminal: we do */
	bool lost;   /* found at start with no process: the keeper may still say how it ended */
	int exit_code;
	struct error err; /* why it could not be started */
	unsigned short rows, columns;
	struct birth birth;
	struct child *child;
	sd_event_source *report, *drain;
	int pty; /* until the client has it; the keeper has another */
	struct connection **clients;
	size_t client_count;
	exec_ended *ended; /* of one for ourselves */
	void *ended_context;
};

struct exec_sessions {
	struct supervisor *supervisor;
	int dir;
	struct exec_session *first;
	size_t finished;
};

/* NULL: there is none; so with @id NULL. */
struct exec_session *exec_session_find(struct exec_sessions *sessions, const char *id);
struct exec_session *exec_session_new(struct exec_sessions *sessions, const char *id);
void exec_session_free(struct exec_session *session);
/* Its record, for the supervisor after us. */
void exec_session_write(struct exec_session *session);
void exec_session_add_client(struct exec_session *session, struct connection *connection);

/* What the keeper keeps for it. */
void exec_session_keep(struct exec_session *session, const char *kind, int fd);
void exec_session_take_pty(struct exec_session *session, int master);

/*
 * Reads what it writes to its terminal and drops it, now that no client does or will: a program
 * that nobody listens to is not to wait for that. So does the supervisor after us.
 */
void exec_session_drain(struct exec_session *session);

/* Looks at its birth until the program runs. */
int exec_session_watch_report(struct exec_session *session, struct error *err);
void exec_session_close_birth(struct exec_session *session);
void exec_session_tell_started(struct exec_session *session, struct connection *connection);

/* Its process ended; the handler that children.h wants. */
void exec_session_ended(void *session, const struct process_exit *info);
void exec_session_finish(struct exec_session *session, int exit_code);
/* It could not be started. */
void exec_session_fail(struct exec_session *session, const struct error *err, int exit_code);
/* What a client hears that is there at the end, or asks once more after it. */
void exec_session_tell_end(const struct exec_session *session, struct connection *connection);

#endif
