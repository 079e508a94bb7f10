/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_PROXY_INTERNAL_H
#define NETMGR_PROXY_INTERNAL_H

/*
 * proxy_internal.h - what the proxies of the two protocols have in common.
 */

#include "netmgr/proxy.h"

struct proxy_target {
	struct sockaddr_storage address;
	socklen_t size;
};

struct proxy_tcp;
struct proxy_udp;

int proxy_tcp_new(sd_event *event, int fd, const struct proxy_target *to, struct proxy_tcp **ret,
		  struct error *err);
void proxy_tcp_retarget(struct proxy_tcp *tcp, const struct proxy_target *to);
void proxy_tcp_free(struct proxy_tcp *tcp);

int proxy_udp_new(sd_event *event, int fd, const struct proxy_target *to, struct proxy_udp **ret,
		  struct error *err);
void proxy_udp_retarget(struct proxy_udp *udp, const struct proxy_target *to);
void proxy_udp_free(struct proxy_udp *udp);

#endif
