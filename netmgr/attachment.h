/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_ATTACHMENT_H
#define NETMGR_ATTACHMENT_H

/*
 * attachment.h - the insides of struct attachment: attachment.c builds and sends its messages,
 * connect.c takes its leases, release.c gives them back.
 */

#include "netmgr/ip.h"
#include "netmgr/netlink/batch.h"
#include "netmgr/network.h"
#include "netmgr/redirect.h"

#define ENDPOINTS_MAX           64
#define LINK_LOCALS_MAX         8
#define ATTACHMENT_MESSAGES_MAX 32768

enum attachment_patch_kind { PATCH_NETNS, PATCH_INDEX };

struct attachment_patch {
	enum attachment_patch_kind kind;
	size_t endpoint;
	size_t at; /* in the host's batch for PATCH_NETNS, else in the inside one */
};

/* What an endpoint needs to be made and nobody asks for later. */
struct endpoint_extra {
	unsigned int master, mtu;
	int gw_priority;
	bool isolated;    /* icc=false */
	bool hairpin;     /* the bridge redirects by itself, back to where it came from */
	bool routed;      /* its gateway answers */
	const char *kind; /* of a child of interface @master; NULL: veth into a bridge */
	uint32_t mode, flags;
	bool device_route; /* the default route needs no gateway */
	struct ipaddr link_local[LINK_LOCALS_MAX];
	size_t link_local_count;
};

struct attachment {
	char *container;
	struct endpoint *endpoints;
	struct endpoint_extra *extras; /* beside the endpoints */
	size_t count;
	const struct redirect *redirect; /* NULL: no DNS */
	/* only until the child has sent them: attachment_settle() */
	int host_fd;
	struct batch host, inside, last; /* sent in this order; the last to the host again */
	struct attachment_patch *patches;
	size_t patch_count;
};

void endpoint_done(struct endpoint *endpoint);
/* What can be wrong with a wish beside its addresses. */
int endpoint_check(const struct endpoint_options *wish, struct error *err);
/* From the records only. */
void attachment_drop_endpoint(struct attachment *attachment, size_t i);
/* Messages for the endpoints from number @from on, and the socket to send them by. */
int attachment_build(struct attachment *attachment, size_t from, struct error *err);
/* Sends them; system calls only. @inside_fd: rtnetlink of namespace @netns_fd. */
int attachment_send(const struct attachment *attachment, int inside_fd, int netns_fd,
		    struct error *err);

#endif
