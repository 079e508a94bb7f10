/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_COMPANIONS_H
#define COMPOSE_CLI_COMPANIONS_H

/*
 * companions.h - what a project has beside containers, before it is brought up: providers are run,
 * models are had from a runner, the engine's socket is looked for. What they come to is put into
 * the services that asked: environment variables and mounts.
 */

#include "common/error.h"

#include "compose/model/project.h"

/*
 * Leaves out binds of an engine's socket that is not there, with a warning: made as other sources
 * of binds are, it would be a directory, in the way of an engine that is installed later.
 */
void companions_leave_out_socket(struct project *project);

/* @services (may be NULL: all) and what they depend on. May take long. Changes @project. */
int companions_up(struct project *project, char *const *services, struct error *err);
/* Tells the providers of @services that can be stopped to stop what they provide. */
int companions_stop(const struct project *project, char *const *services, struct error *err);
/* Tells the providers of @services that what they provided is not needed any more. */
int companions_down(const struct project *project, char *const *services, struct error *err);

#endif
