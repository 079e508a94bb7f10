/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_TOP_PS_H
#define COMPOSE_CLI_TOP_PS_H

/* top_ps.h - `container top NAME PS-OPTIONS`: what ps(1) of this machine says of a container. */

#include <jansson.h>

#include "common/error.h"

#include "compose/cli/view/output.h"

/*
 * The heading of @said, what ps printed, and the lines whose PID is among @pids. @ret is to be
 * released in either case.
 */
int top_ps_table(const char *said, const json_t *pids, struct table *ret, struct error *err);

/*
 * Runs ps with @options and prints its heading and the lines whose PID is among @pids, as docker
 * does. The options have to let the column PID be.
 */
int top_ps(char *const *options, const json_t *pids, struct error *err);

#endif
