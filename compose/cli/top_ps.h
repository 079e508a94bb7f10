/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_TOP_PS_H
#define COMPOSE_CLI_TOP_PS_H

/* top_ps.h - `container top NAME PS-OPTIONS`: what ps(1) of this machine says of a container. */

#include <jansson.h>

#include "common/error.h"

/*
 * Runs ps with @options and prints its heading and the lines whose PID is among @pids, as docker
 * does. The options have to let the column PID be.
 */
int top_ps(char *const *options, const json_t *pids, struct error *err);

#endif
