/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_KEEPER_KEEPER_CLIENT_H
#define COMPOSE_SUPERVISOR_KEEPER_KEEPER_CLIENT_H

/*
 * keeper_client.h - the supervisor's side of its keeper: descriptors kept by name, and how the
 * processes that the keeper reaps have ended.
 *
 * Names: "control", "ID:stdout", "ID:stderr", "ID:stdin", "ID:pty", "ID:notify", "ID:dns-udp",
 * "ID:dns-tcp", "port:IP:PORT/PROTOCOL:4" (or 6), "exec:ID:pty", "socket:N", "listen:N".
 */

#include <errno.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "common/error.h"
#include "common/map.h"

/* Long enough for "port:IP:PORT/PROTOCOL:4". */
#define KEEPER_PORT_NAME_MAX 80

struct keeper_client;

struct process_exit {
	pid_t pid;
	uint64_t start_ticks; /* 0: not known */
	int exit_code;        /* as a shell has it: 128 + signal when one ended it */
	int signal;           /* 0: it exited by itself */
	int64_t time_nsec;
};

typedef void keeper_exit_handler(void *context, const struct process_exit *info);

/* Takes @fd, one end of a SOCK_SEQPACKET pair. */
int keeper_client_new(int fd, keeper_exit_handler *on_exit, void *context,
		      struct keeper_client **ret, struct error *err);
void keeper_client_free(struct keeper_client *keeper);

/*
 * Waits for everything the keeper has: exits are given to the handler, descriptors come in
 * @ret_fds (may be NULL) by name, as pointers made by keeper_fd_pack(). Before
 * keeper_client_watch(). The exits are not acknowledged yet: that is for keeper_client_watch(),
 * once they are dealt with.
 */
int keeper_client_list(struct keeper_client *keeper, struct map *ret_fds, struct error *err);
static inline void *keeper_fd_pack(int fd)
{
	return (void *)(intptr_t)(fd + 1);
}
static inline int keeper_fd_unpack(void *value)
{
	return value ? (int)(intptr_t)value - 1 : -EBADF;
}

/* Exits from now on come through the loop. @on_gone: the keeper is no more. */
int keeper_client_watch(struct keeper_client *keeper, sd_event *event,
			void (*on_gone)(void *context), struct error *err);

/* Keeps @count descriptors (borrowed); an old one of the same name is closed. Never waits long. */
int keeper_client_store(struct keeper_client *keeper, const char *const *names, const int *fds,
			size_t count);
/* A name, or a prefix followed by '*'. */
void keeper_client_drop(struct keeper_client *keeper, const char *name);
/* Says that the loop goes round: keeper_watchdog.h. */
void keeper_client_alive(struct keeper_client *keeper);
/* Asks the keeper to end once the supervisor is gone. */
void keeper_client_end(struct keeper_client *keeper);

#endif
