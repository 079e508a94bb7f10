/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_ROOTLESS_H
#define COMMON_ROOTLESS_H

/*
 * rootless.h - whether this process is in the namespaces of an ordinary user's berth, and the way
 * to the host's network from there.
 *
 * Such a client goes on in a user and a mount namespace that all berth processes of its user share
 * (compose/cli/rootless/rootless.h), where it is uid 0. The bridges of its projects stand in a
 * network namespace beside. Who works with them enters that (rootless_network_enter()), and as
 * nobody comes back from there to a network namespace that belongs to the host, leaves a thread
 * behind: what has to be done in the host's network (binding a published port, a container in
 * `network_mode: host`) is done by that thread.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "common/error.h"

/* In the environment of every process in there: "UID:FD:DIRECTORY". */
#define ROOTLESS_VARIABLE "BERTH_ROOTLESS"

/* Below the directory of an ordinary user's namespaces. */
#define ROOTLESS_NETNS   "netns" /* the network namespace of the bridges */
#define ROOTLESS_USERS   "users" /* a FIFO: all who are in there have it open for writing */
#define ROOTLESS_WAY     "way" /* about the way out: empty, or why there is none; when it is known */
#define ROOTLESS_CLIENTS "clients" /* proxies' sockets may bear the clients' addresses */
#define ROOTLESS_WISH    "w"       /* what is written into the FIFO by who needs the way out */

bool rootless(void);
uid_t rootless_uid(void); /* the user's, outside */
/* The directory, as an absolute path; NULL when not rootless(). */
const char *rootless_directory(void);
/* The variable's value for a process to be started; NULL when not rootless(). The caller's. */
char *rootless_variable(void);

/*
 * For a process that stays: its namespaces are kept until it ends. It has the network of the
 * bridges open, for who looks for that when the directory is gone.
 */
int rootless_hold(struct error *err);

/*
 * The calling thread goes on in the network namespace of the bridges; with the others that forks
 * of it are in, too. Waits until the way out of there is made, or known to be impossible: then 1,
 * and @err says why. 0 also when not rootless(), or entered before.
 */
int rootless_network_enter(struct error *err);

/* 1: as far as is known there is no way out, and why; else 0. */
int rootless_has_no_way(struct error *err);

/* Calls @work where the host's network is, by another thread if it must be; gives what it gave. */
int rootless_on_host(int (*work)(void *data), void *data);

/*
 * The same by a thread that may join the pid namespace of a container for its next children, which
 * takes privileges to leave again that nobody has in here. @on_host: one in the host's network.
 * -errno: there can be no more threads. When not rootless(), calls @work as it is.
 */
int rootless_astray(bool on_host, int (*work)(void *data), void *data);

/* socket(2), close-on-exec, of the host's network. fd or -errno. */
int rootless_host_socket(int domain, int type, int protocol);

/* "/proc/.../net" of the host's network, to read tables in. */
const char *rootless_host_proc_net(void);

/*
 * Whether process @pidfd is in the host's network, where only rootless_on_host() leads. Never when
 * not rootless().
 */
bool rootless_is_on_host(int pidfd);

/* All groups that there are, as net.ipv4.ping_group_range takes them. */
const char *rootless_group_range(void);

/*
 * After a failed call to change to, or give something to @uid and @gid: @what ("give it to") and
 * its errno, and of ids that the user does not have where more come from. Allocates nothing.
 */
int rootless_id_error(uid_t uid, gid_t gid, const char *what, struct error *err);

#endif
