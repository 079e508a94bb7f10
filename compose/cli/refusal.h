/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_REFUSAL_H
#define COMPOSE_CLI_REFUSAL_H

/*
 * refusal.h - what docker's engine refuses to do with a container, since it would change nothing.
 */

#include "compose/cli/args/target.h"

/* True: @err says why; @container is a CONTAINER (requests.h), @name what it is called there. */
bool refusal_of(enum plan_goal goal, const char *name, const json_t *container, struct error *err);

/*
 * pause and unpause of services, as docker compose has them: what does not run is passed over, what
 * is refused is told, and the others are done. Exit code.
 */
int refusal_or_converge(struct project_args *args, char *const *services,
			struct converge *converge);

#endif
