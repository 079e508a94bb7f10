/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_USERMODE_H
#define NETMGR_USERMODE_H

/*
 * usermode.h - the network namespace that an ordinary user's bridges stand in (common/rootless.h).
 *
 * Published ports are sockets of the host's network, and the proxies carry what comes in there
 * over. So that containers see who that is from, the proxies' sockets in here bear the clients'
 * addresses (IP_TRANSPARENT, ip(7)). What containers send back to those is not sent out, but is
 * given to these sockets: the packets are marked by a rule, and a route of theirs says that
 * whatever they are for is here (the kernel's tproxy.rst).
 */

#include <sys/socket.h>

#include "common/error.h"

/* Rules and routes, in the calling thread's network namespace, which is new. */
int usermode_prepare(struct error *err);

/*
 * Gives socket @fd, before it is connected to the container's @to, the address of @client, where
 * usermode_prepare() was done. With clients of the host itself (loopback), or another family, it
 * keeps the bridge's.
 */
void usermode_as_client(int fd, const struct sockaddr *client, const struct sockaddr *to);

#endif
