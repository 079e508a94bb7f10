/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_FIREWALL_CONNTRACK_H
#define NETMGR_FIREWALL_CONNTRACK_H

/*
 * conntrack.h - what the kernel remembers of datagrams to a published port.
 *
 * Rules are asked for the first packet of a flow only. A client that keeps sending from one socket
 * keeps its flow alive, and would go on reaching a container that is gone, or nobody, for as long
 * as it sends. TCP needs none of this: its flows end with their connections.
 */

#include "netmgr/publish.h"

/*
 * Forgets flows to the host's port of @port that do not lead to the container as it now is; not a
 * UDP port: nothing to do. 0 or -errno.
 */
int conntrack_forget(const struct publish *port, struct error *err);

#endif
