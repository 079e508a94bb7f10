/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_INBOUND_H
#define NETMGR_INBOUND_H

/*
 * inbound.h - who is connected to the servers in a network namespace (TCP), by sock_diag(7).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

/*
 * Connections from elsewhere to ports that somebody listens on in @netns_fd (as netns_socket()
 * has it). 0 or more, or negative.
 */
int inbound_count(int netns_fd, struct error *err);

/* A socket that has something to read whenever a TCP socket there has gone. The caller's. */
int inbound_watch(int netns_fd, struct error *err);

#endif
