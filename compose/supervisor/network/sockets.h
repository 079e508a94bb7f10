/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_NETWORK_SOCKETS_H
#define COMPOSE_SUPERVISOR_NETWORK_SOCKETS_H

/*
 * sockets.h - `x-berth.socket`: what is listened at for a service before it runs.
 *
 * `up` listens and leaves the service alone; its first connection starts it, after what it depends
 * on, and is the service's to accept: it gets the sockets as sd_listen_fds(3) says. Once it has
 * ended by itself, the next connection starts it again; `stop` ends that. The keeper has all
 * sockets as well, so that no connection is lost with a supervisor. Those that systemd listens at
 * for our unit came with the keeper and are never closed by us.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

struct instance;
struct service;
struct sockets;
struct supervisor;
struct translation;

struct sockets *sockets_new(struct supervisor *supervisor);
/* Takes what the keeper has of them; after all records were read. */
void sockets_adopt(struct sockets *sockets);

/*
 * Before a plan: listens at all that @service is to have. -EADDRINUSE and the like. What no
 * container comes to want is let go by sockets_settle().
 */
int sockets_hold(struct sockets *sockets, const struct service *service, struct error *err);
/* After a plan, or when a container is gone: lets go of what nobody wants, and listens again. */
void sockets_settle(struct sockets *sockets);

/* After `up` or `start` of @services (NULL: of all), and after `stop` or `kill`. */
void sockets_resume(struct sockets *sockets, char *const *services);
void sockets_suspend(struct sockets *sockets, char *const *services);

/* For a birth: the sockets of the container's service, and what says so in its environment. */
int sockets_give(struct translation *translation, struct error *err);
/* Whether connections start the container. */
bool sockets_await(const struct instance *instance);
void sockets_instance_changed(struct instance *instance);

#endif
