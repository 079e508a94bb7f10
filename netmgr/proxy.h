/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_PROXY_H
#define NETMGR_PROXY_H

/*
 * proxy.h - the way into a container where packet rules do not reach: accepts on the socket that
 * holds a published port, connects to the container, and moves bytes by splice().
 *
 * For UDP one upstream socket a client, dropped after 90 idle seconds. Bounded numbers of both.
 * Each direction of a connection ends on its own. The process must ignore SIGPIPE, for splice()
 * knows no MSG_NOSIGNAL.
 */

#include <netinet/in.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/error.h"

struct proxy;

/* Borrows @fd (bound; listening is done here for TCP). @to: the container's address and port. */
int proxy_new(sd_event *event, int fd, uint8_t protocol, const struct sockaddr *to,
	      socklen_t to_size, struct proxy **ret, struct error *err);
/* New clients are led to @to; who is connected already stays where it is. */
void proxy_retarget(struct proxy *proxy, const struct sockaddr *to, socklen_t to_size);
void proxy_free(struct proxy *proxy);

#endif
