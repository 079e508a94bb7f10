/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_NOTIFY_H
#define COMPOSE_SUPERVISOR_NOTIFY_H

/*
 * notify.h - what systemd hears of the project while it is a unit (sd_notify(3)): STATUS= whenever
 * it changes, EXTEND_TIMEOUT_USEC= as long as a command is at work, STOPPING=1 when all is taken
 * down; and to the keeper, which passes it on, that the loop goes round (WATCHDOG_USEC).
 *
 * READY=1 is told by whoever asked for the project to be brought up. Without NOTIFY_SOCKET nothing
 * here does anything.
 */

#include <stddef.h>

#include "common/error.h"

struct notifier;
struct supervisor;

/* NULL in *ret where nobody listens. */
int notifier_new(struct supervisor *supervisor, struct notifier **ret, struct error *err);
void notifier_free(struct notifier *notifier);

/* Something may have changed: it is looked at soon, once for all changes of a moment. */
void notifier_look(struct notifier *notifier);

/*
 * "3 of 5 healthy, waiting for db, cache". @waited (NULL-terminated, may be NULL) is what a command
 * waits for; @unwell, each with its state ("db unhealthy"), counts when nothing is waited for.
 * New string.
 */
char *notify_status(size_t well, size_t all, char *const *waited, char *const *unwell);

#endif
