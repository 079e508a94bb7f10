/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_ROOTLESS_ROOTLESS_WAY_H
#define COMPOSE_CLI_ROOTLESS_ROOTLESS_WAY_H

/*
 * rootless_way.h - the way out of the network of a user's bridges: pasta, which the holder of the
 * namespaces starts once somebody asked for it, and again when it was lost. Whether it is there
 * stands in ROOTLESS_WAY, which is empty, or says why it is not.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct rootless_way {
	const char *path;   /* of the holder's directory; borrowed */
	int directory;      /* the same, the holder's */
	int routes;         /* tells of the host's routes: there may be a way now */
	pid_t pasta;        /* while it comes up; then it is a daemon of its own */
	int daemon;         /* its pidfd: the way is there; readable when it ends */
	bool is_asked;      /* for the way */
	int64_t begun_usec; /* monotonic: when pasta was last started */
	int short_lives;    /* of pasta, one after the other */
};

/* A machine may get to its network late, or somewhere else: ->routes. */
void rootless_way_watch(struct rootless_way *way);
/* What ->routes has to say; where pasta lacked just that, it is started. */
void rootless_way_read_routes(struct rootless_way *way);
/* Starts pasta unless it is there, or on its way. */
void rootless_way_want(struct rootless_way *way);
/* One that is there already: of a holder before us it is not our child, but does its work. */
void rootless_way_find(struct rootless_way *way);
/* Writes down what is there, where the directory is another one now. */
void rootless_way_tell(struct rootless_way *way);
/* Its process; 0: none is known. */
pid_t rootless_way_pid(const struct rootless_way *way);
/* A child ended: true where it was pasta, that became a daemon or failed. */
bool rootless_way_reaped(struct rootless_way *way, pid_t pid, int status);
/* ->daemon ended. */
void rootless_way_lost(struct rootless_way *way);
/* Ends it, with what it wrote. */
void rootless_way_end(struct rootless_way *way);

#endif
