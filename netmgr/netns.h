/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_NETNS_H
#define NETMGR_NETNS_H

/*
 * netns.h - sockets that belong to another network namespace.
 */

#include "common/error.h"

/*
 * A socket made in the network namespace @netns_fd (a namespace file, or the pidfd of a process in
 * it; negative: our own), by going there and back. The caller's to close.
 */
int netns_socket(int netns_fd, int domain, int type, int protocol, struct error *err);

/*
 * For several steps: the calling thread is in @netns_fd until netns_leave(), which takes what this
 * returned, and dies rather than going on in the wrong namespace.
 */
int netns_enter(int netns_fd, struct error *err);
void netns_leave(int home_fd);

#endif
