/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_PUBLISH_H
#define NETMGR_PUBLISH_H

/*
 * publish.h - published ports: host address and port to a container's address and port.
 *
 * A published port is held by a bound socket, so that a clash is an error before anything starts
 * and nobody takes the port later. Packets go by rules (DNAT); what rules cannot do (IPv6 ::1, a
 * host without them) goes through the proxy, which accepts on that very socket.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct publish {
	char host_ip[INET6_ADDRSTRLEN]; /* "": all addresses of both families */
	uint16_t host_port; /* 0 in a request: pick one of [first, last], or ephemeral */
	uint16_t host_first, host_last; /* range to pick from; 0: the ephemeral one */
	uint16_t container_port;
	uint8_t protocol; /* IPPROTO_TCP, _UDP, _SCTP */
	/* filled from the container's endpoints */
	struct in_addr ipv4;
	struct in6_addr ipv6;
	bool has_ipv4, has_ipv6;
	char bridge[16];
};

/*
 * Binds the sockets that hold the port: one for IPv4, one for IPv6 (-EBADF where not asked for);
 * decides host_port. TCP sockets listen already, since only a listener keeps others off; whatever
 * rules do not redirect waits there until the proxy accepts it. -EADDRINUSE: "port 8080 is already
 * taken on 0.0.0.0 ..., by PROGRAM (pid N)" where /proc tells.
 */
int publish_hold(struct publish *publish, int ret_fds[2], struct error *err);

#endif
