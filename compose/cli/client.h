/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_CLIENT_H
#define COMPOSE_CLI_CLIENT_H

/*
 * client.h - a request to a project's supervisor (compose/control/requests.h), from the asking
 * side.
 *
 * One client is one request. When its connection breaks before the last message, the supervisor
 * was killed and its keeper is starting it again: the client connects anew and sends the same
 * request with the same id, a bounded number of times, and its caller notices nothing.
 */

#include <jansson.h>
#include <stdbool.h>

#include "common/error.h"

#include "compose/control/message.h"

struct client;

enum client_start {
	CLIENT_START,           /* start a supervisor when there is none */
	CLIENT_START_FOR_STATE, /* only when the project has records on disk: readers */
	CLIENT_NEVER_START,     /* who is there, and its keeper keeps there, or -ENOENT */
};

/*
 * Sends {"request": @request} with the members of @arguments (borrowed; may be NULL) and
 * descriptors (borrowed, must stay open while the request runs).
 * -ENOENT: no supervisor, and no state for which to start one.
 */
int client_request(const char *project, enum client_start start, const char *request,
		   const json_t *arguments, const int *fds, size_t fd_count, struct client **ret,
		   struct error *err);
void client_free(struct client *client);

/* For poll(): readable means that client_next() has something to say. */
int client_fd(const struct client *client);

/*
 * Waits for the next message. 1: *ret is an event (new reference), its descriptors in @fds (may be
 * NULL: then they are closed); 0: *ret is the final "done"; negative: an error, also the one that
 * the supervisor replied, whose "exit" is then in client_exit_code().
 */
int client_next(struct client *client, json_t **ret, int fds[FD_PASS_MAX], size_t *ret_fd_count,
		struct error *err);
/*
 * Says something more on the same connection, as the request allows. Lost with a connection that
 * breaks: to be told again when client_reconnects() has changed.
 */
void client_tell(struct client *client, const json_t *message);
/* A connection that breaks from now on is -EPIPE: the caller knows a better way to go on. */
void client_stay(struct client *client);
/* Exit code that goes with the last error; 1 unless the supervisor said otherwise. */
int client_exit_code(const struct client *client);
/* How often the connection was made anew. */
unsigned int client_reconnects(const struct client *client);

/* The whole of a request that has one answer: *ret is the "done" (may be NULL). */
int client_call(const char *project, enum client_start start, const char *request,
		const json_t *arguments, json_t **ret, struct error *err);

/* Whether the project has a supervisor's socket or records on disk, also ones we may not read. */
bool client_project_known(const char *project);

/*
 * Whether we may run containers of @project at all. -EPERM: we are not root, and nobody who is
 * runs it for us.
 */
int client_check_privileges(const char *project, struct error *err);

#endif
