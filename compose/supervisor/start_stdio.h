/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_START_STDIO_H
#define COMPOSE_SUPERVISOR_START_STDIO_H

/*
 * start_stdio.h - the pipes of a container that is being born, and what of a birth the keeper
 * stores.
 */

#include <errno.h>

#include "compose/supervisor/instance.h"

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

/* Those that @spec wants: none with a terminal, the client's in the foreground. */
int start_stdio_make(struct instance *instance, struct stdio *stdio, struct container_spec *spec,
		     struct error *err);
/*
 * With the report the next supervisor learns what became of a birth that this one did not see the
 * end of: hence it is the keeper's before the child is let go, and stays there. Our ends of the
 * pipes are the instance's from here on.
 */
int start_stdio_keep(struct instance *instance, struct stdio *stdio, struct error *err);
void start_stdio_done(struct stdio *stdio);
/* Neither the supervisor nor the keeper holds its stdin open any more. */
void start_stdio_end_input(struct instance *instance);

/* Stores descriptors under "ID:KIND", four at most. 0 or -errno. */
int start_store(struct instance *instance, const char *const *kinds, const int *fds, size_t count);

#endif
