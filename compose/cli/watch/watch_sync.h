/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_WATCH_WATCH_SYNC_H
#define COMPOSE_CLI_WATCH_WATCH_SYNC_H

/*
 * watch_sync.h - one path of this machine brought to one path of containers: written where it is
 * there, removed where it is not.
 */

#include <jansson.h>
#include <stdbool.h>

#include "common/error.h"

struct watch_copy {
	const char *from; /* absolute */
	char *to;         /* in the container; owned */
};

/*
 * @copies, in their order, to the @containers (CONTAINERs of requests.h) that run. @compare: what
 * has the same size, mode and time already is left alone. What fails keeps nothing else back; @err
 * is about the first.
 */
int watch_sync(const char *project, const json_t *containers, const struct watch_copy *copies,
	       size_t count, bool compare, struct error *err);

#endif
