/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_EXEC_EXEC_H
#define COMPOSE_SUPERVISOR_EXEC_EXEC_H

/*
 * exec.h - one more process in a running container, with the client's own descriptors.
 *
 * A session's id is the request's: a client that asks once more after a crash gets the session
 * that it has. A small record in BERTH_RUNTIME_DIR tells the next supervisor of it, so that the
 * exit code reaches whoever waits.
 */

#include <jansson.h>

#include "common/error.h"

struct connection;
struct exec_sessions;
struct instance;
struct supervisor;

struct exec_sessions *exec_sessions_new(struct supervisor *supervisor);
/* Sessions from before; to be called before the keeper is asked for exits. */
void exec_sessions_load(struct exec_sessions *sessions);
/* After the keeper was asked: who has ended without a word is given up. */
void exec_sessions_settle(struct exec_sessions *sessions);
/* The runtime folder is another one from now on: the records are written into that. */
void exec_sessions_move(struct exec_sessions *sessions);
void exec_sessions_free(struct exec_sessions *sessions);

/* @fds are taken (stdin, stdout, stderr), @count may be 0. Answers @connection. */
void exec_request(struct exec_sessions *sessions, struct connection *connection, const char *id,
		  const json_t *request, int *fds, size_t count);
void exec_wait_request(struct exec_sessions *sessions, struct connection *connection,
		       const json_t *request);

/* How a process of our own ended; @err says so where it could not even begin. */
typedef void exec_ended(void *context, int exit_code, const struct error *err);
/*
 * One for ourselves, @request as a client's; takes the three @fds. @ended is called once, perhaps
 * at once.
 */
void exec_start(struct instance *instance, const char *id, const json_t *request, const int *fds,
		exec_ended *ended, void *context);
/*
 * After a restart. 0: @ended will be called; 1: it is over, see *ret_exit_code and, if it could not
 * be started, *ret_err; -ENOENT.
 */
int exec_follow(struct exec_sessions *sessions, const char *id, exec_ended *ended, void *context,
		int *ret_exit_code, struct error *ret_err);
void exec_unfollow(struct exec_sessions *sessions, const char *id);

/* The container is gone, and with it what ran in its pid namespace. */
void exec_container_ended(struct instance *instance);

#endif
