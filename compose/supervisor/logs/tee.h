/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_LOGS_TEE_H
#define COMPOSE_SUPERVISOR_LOGS_TEE_H

/*
 * tee.h - copies of a container's output for attached clients; none of them can slow it down.
 */

#include <systemd/sd-event.h>

#include "compose/supervisor/logs/pump.h"

#define TEE_PENDING_MAX (1024 * 1024)

struct log_tee;

/* Takes @fd. Puts itself into the list at @list, and removes itself when its client is gone. */
int log_tee_new(sd_event *event, struct log_tee **list, int fd, unsigned int streams,
		struct error *err);
void log_tee_send(struct log_tee **list, enum log_stream stream, const void *data, size_t size);
/* All of @from's are @to's from now on. */
void log_tee_move(struct log_tee **to, struct log_tee **from);
void log_tee_free_all(struct log_tee **list);

#endif
