/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_ROOTLESS_ROOTLESS_H
#define COMPOSE_CLI_ROOTLESS_ROOTLESS_H

/*
 * rootless.h - berth as an ordinary user: the way into the namespaces of common/rootless.h.
 *
 * One process a user holds them, `berth __rootless DIRECTORY`, while anybody is in there. In
 * BERTH_RUNTIME_DIR/rootless:
 *
 *     lock    held while somebody enters, or the holder leaves
 *     users   a FIFO that all who are in there have open for writing; its end tells the holder
 *     holder  "PID START USERNS MNTNS" of the holder and its namespaces
 *     netns   where the network of the bridges is mounted, in that mount namespace
 *     way     see ROOTLESS_WAY
 *
 * Should the holder be killed, the next client finds the namespaces by any process that is in them
 * and makes it a new holder. Should the directory be removed, it finds the holder by its command
 * line and environment, and has it make all of this anew (rootless_lost.h). The user's ids are 0 in
 * there; those that /etc/subuid and /etc/subgid give the user follow from 1 on.
 */

#include <sys/types.h>

#include "common/error.h"

/*
 * Goes on in there, as the same command by exec: does not return then. 0: nothing to do, for we are
 * root or in there. The error says what the machine lacks, and what to do about it.
 */
int rootless_enter(char *const argv[], struct error *err);

#define ROOTLESS_COMMAND "__rootless"
#define ROOTLESS_HOLDER  "holder"

/* The holder's program: makes the namespaces but for the user's, in which it was started. */
int rootless_holder_main(int argc, char **argv);

/*
 * Gives process @pid, in a user namespace just made, all ids that are @uid's and @gid's by
 * newuidmap(1) and newgidmap(1).
 */
int rootless_map_ids(pid_t pid, uid_t uid, gid_t gid, struct error *err);

/*
 * The arguments of newuidmap behind the pid: "0 UID 1" and the ranges of @user or @id in @text, a
 * file as subuid(5) has it, strung together from 1 on. NULL: it has none. The caller's.
 */
char **rootless_map_words(const char *text, const char *user, unsigned int id);

#endif
