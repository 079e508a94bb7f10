/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_INSTANCE_START_STDIO_H
#define COMPOSE_SUPERVISOR_INSTANCE_START_STDIO_H

/*
 * start_stdio.h - the pipes of a container that is being born, and what of a birth the keeper
 * stores.
 */

#include <errno.h>

#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/logs/pump.h"

/* A pipe whose side in the container never breaks, even if nobody holds ours (SIGPIPE). */
struct stdio_pipe {
	int ours, theirs;
};

struct stdio {
	struct stdio_pipe out, error;
	int in_ours, in_theirs;
};
#define STDIO_NONE                              \
	((struct stdio){.out.ours = -EBADF,     \
			.out.theirs = -EBADF,   \
			.error.ours = -EBADF,   \
			.error.theirs = -EBADF, \
			.in_ours = -EBADF,      \
			.in_theirs = -EBADF})

/*
 * Those that @spec wants: none with a terminal; in the foreground the client's, which it copies to
 * the log by other pipes (enum run_fd).
 */
int start_stdio_make(struct instance *instance, struct stdio *stdio, struct container_spec *spec,
		     struct error *err);
/*
 * With the report the next supervisor learns what became of a birth that this one did not see the
 * end of: hence it is the keeper's before the child is let go, and stays there. Our ends of the
 * pipes are the instance's from here on.
 */
int start_stdio_keep(struct instance *instance, struct stdio *stdio, struct error *err);
void start_stdio_done(struct stdio *stdio);
/* The client's descriptors of instance->client: what it copies goes to the log from now on. */
int start_stdio_keep_client(struct instance *instance, struct error *err);
/* Its program has its client's descriptors: who else held them would keep a pipe from ending. */
void start_stdio_born(struct instance *instance);
/* The client of one in the foreground is gone: the log reads what it would have read. */
void start_stdio_without_client(struct instance *instance);
/* Of one in the foreground: nobody here holds the end to read of that stream any more. */
void start_stdio_end_output(struct instance *instance, enum log_stream stream);
/* Neither the supervisor nor the keeper holds its stdin open any more. */
void start_stdio_end_input(struct instance *instance);

/* Stores descriptors under "ID:KIND", four at most. 0 or -errno. */
int start_store(struct instance *instance, const char *const *kinds, const int *fds, size_t count);

#endif
