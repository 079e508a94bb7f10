/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_RUN_EXEC_SESSION_H
#define COMPOSE_CLI_RUN_EXEC_SESSION_H

/*
 * exec_session.h - one program run in a container, seen from the terminal that asked for it.
 *
 * Without a tty the program has our own stdin, stdout and stderr (the kernel passes them), and
 * we only wait. With one we copy between our terminal and the pty's master. Neither needs the
 * supervisor, so that its death is noticed by nobody; the exit code is asked of the next one.
 */

#include <jansson.h>
#include <stdbool.h>

#include "common/error.h"

struct detach_keys;
struct run_copy;

struct exec_way {
	bool tty, interactive, detach;
	struct detach_keys *keys; /* that leave it running; NULL: none */
};

/*
 * @request: the arguments of "exec" (rows and columns are added). *ret_exit_code is the program's,
 * or with an error what to exit with.
 */
int exec_session(const char *project, json_t *request, const struct exec_way *way,
		 int *ret_exit_code, struct error *err);

/*
 * Copies between our terminal, in raw mode, and @master until the latter ends or @done is
 * readable. True: @keys (NULL: none) were pressed. @copy: where its log gets it; NULL: none.
 */
bool exec_session_copy(int master, bool interactive, int done, struct detach_keys *keys,
		       struct run_copy *copy);

/*
 * What is typed goes to @fd, but for @keys (may be NULL); *ret_detached: they were pressed. False:
 * there is nothing more to be typed.
 */
bool exec_session_type(int fd, struct detach_keys *keys, bool *ret_detached);

/* What of the keys was held back is for the program after all. */
void exec_session_release(int fd, struct detach_keys *keys);

/* Our stdin, stdout and stderr, to be handed over; /dev/null, in *ret_null, where one is closed. */
void exec_session_stdio(bool interactive, int fds[3], int *ret_null);

/* Whether a program is to have a terminal: as asked, and only where we have one ourselves. */
bool exec_session_wants_tty(bool tty, bool interactive);

#endif
