/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_CHILDREN_H
#define COMPOSE_SUPERVISOR_CHILDREN_H

/*
 * children.h - who is to be told that a process ended: containers, exec sessions.
 *
 * The keeper is their parent and says so by pid; a process that the keeper is not the parent of
 * (adopted after a keeper died) is watched here by its pidfd instead.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "common/error.h"

#include "compose/supervisor/keeper/keeper_client.h"

struct children;
struct child;

typedef void child_handler(void *owner, const struct process_exit *info);

struct children *children_new(sd_event *event);
void children_free(struct children *children);

/* @start_ticks 0: any process of that pid. The handler is called once; the child is gone then. */
struct child *children_add(struct children *children, pid_t pid, uint64_t start_ticks,
			   child_handler *handler, void *owner);
/* Nobody is to be told any more. NULL is fine. */
void children_forget(struct children *children, struct child *child);
/* Watches a process that is not the keeper's child. Borrows @pidfd. */
int children_watch(struct children *children, struct child *child, int pidfd, struct error *err);

/* What the keeper said. False: nobody knew that process. */
bool children_exited(struct children *children, const struct process_exit *info);

#endif
