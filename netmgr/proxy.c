// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/proxy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"

#include "netmgr/proxy_internal.h"

struct proxy {
	struct proxy_tcp *tcp;
	struct proxy_udp *udp;
};

int proxy_new(sd_event *event, int fd, uint8_t protocol, const struct sockaddr *to,
	      socklen_t to_size, struct proxy **ret, struct error *err)
{
	struct proxy *proxy = new (struct proxy);
	struct proxy_target target = {.size = to_size};
	int r;

	if (to_size > sizeof(target.address)) {
		r = error_set(err, EINVAL, "proxy: address of %u bytes", (unsigned int)to_size);
	} else {
		memcpy(&target.address, to, to_size);
		if (protocol == IPPROTO_TCP)
			r = proxy_tcp_new(event, fd, &target, &proxy->tcp, err);
		else if (protocol == IPPROTO_UDP)
			r = proxy_udp_new(event, fd, &target, &proxy->udp, err);
		else
			r = error_set(err, EPROTONOSUPPORT,
				      "proxy: protocol %u is neither TCP nor UDP", protocol);
	}
	if (r < 0) {
		proxy_free(proxy);
		return r;
	}
	*ret = proxy;
	return 0;
}

void proxy_retarget(struct proxy *proxy, const struct sockaddr *to, socklen_t to_size)
{
	struct proxy_target target = {.size = to_size};

	memcpy(&target.address, to, to_size);
	if (proxy->tcp)
		proxy_tcp_retarget(proxy->tcp, &target);
	if (proxy->udp)
		proxy_udp_retarget(proxy->udp, &target);
}

void proxy_free(struct proxy *proxy)
{
	if (!proxy)
		return;
	proxy_tcp_free(proxy->tcp);
	proxy_udp_free(proxy->udp);
	free(proxy);
}
