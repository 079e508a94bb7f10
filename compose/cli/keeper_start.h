/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_KEEPER_START_H
#define COMPOSE_CLI_KEEPER_START_H

/*
 * keeper_start.h - a project's socket: connecting to it, and starting who serves it.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

/* A connected socket, or -errno (-ENOENT, -ECONNREFUSED: nobody is there). */
int keeper_connect(const char *project);

/*
 * Connects, waiting up to @timeout_usec for somebody to listen. fd, or with @err -ETIMEDOUT;
 * -ECHILD when there is no keeper either, so that nobody ever will.
 */
int keeper_wait_connect(const char *project, int64_t timeout_usec, struct error *err);

/* The same, for the supervisor of keeper @pidfd only. */
int keeper_await(const char *project, int pidfd, int64_t timeout_usec, struct error *err);

/* Whether the project has a keeper, as far as its socket or a lock tells. */
bool keeper_runs(const char *project);

/*
 * After -ENOENT: a keeper may run whose socket is not there, for somebody removed the runtime
 * directory. It is told to make that anew, as are those of all other projects, and connected to.
 * -ENOENT, without @err: there is none, or it was about to end.
 */
int keeper_find_lost(const char *project, struct error *err);

/*
 * As long as this fd is open nobody else starts a keeper of @project; who wants to waits for that.
 */
int keeper_start_lock(const char *project, struct error *err);

/*
 * Becomes the project's keeper, as the main process of a unit: with our stdio, and what systemd
 * tells its services. @starter brings the project up: if that fails, so does the keeper. Returns
 * only with an error.
 */
int keeper_become(const char *project, pid_t starter, struct error *err);

/*
 * Starts the project's keeper unless somebody else just did, and connects. Of clients that do so
 * at the same time one starts it, under a lock. When it dies instead of listening, the error says
 * so with the end of its log.
 */
int keeper_start(const char *project, struct error *err);

#endif
