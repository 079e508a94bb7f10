/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_REDIRECT_H
#define NETMGR_REDIRECT_H

/*
 * redirect.h - what a container sends to 127.0.0.11:53 reaches sockets of ours on other ports, so
 * that port 53 stays free for the container.
 *
 * The ports are rewritten without connection tracking (which would cost every packet of the
 * container): queries after the point where a container's own tracking sees them, answers before
 * it, so that both look like 127.0.0.11:53 to everybody else.
 */

#include <stddef.h>

#include "common/error.h"

#include "netmgr/netlink/batch.h"

#define REDIRECT_PORTS 4

struct redirect {
	struct batch batch;
	size_t port_at[REDIRECT_PORTS]; /* of udp, udp, tcp, tcp */
};

/* The messages, for all children of this process. Built once. */
const struct redirect *redirect_prepare(void);

/*
 * In the container's network namespace, `lo` being up, between clone3 and execve: opens the UDP
 * and the TCP socket and leads packets there. Where the kernel has no nf_tables the sockets take
 * port 53 of 127.0.0.11 itself.
 */
int redirect_listen(const struct redirect *redirect, int ret_fds[2], struct error *err);

/*
 * The same for a container that runs, whose sockets were lost: new ones, and new rules in the
 * place of the old. @netns_fd: as for netns_enter().
 */
int redirect_renew(int netns_fd, int ret_fds[2], struct error *err);

#endif
