/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_NETLINK_LINK_H
#define NETMGR_NETLINK_LINK_H

/*
 * link.h - rtnetlink messages on network interfaces, put into a batch.
 */

#include <net/if.h>

#include "netmgr/netlink/batch.h"

struct link_veth {
	const char *name;      /* on the host */
	const char *peer_name; /* inside */
	int netns_fd;          /* the peer's; netns_fd_at says where it stands in the message */
	unsigned int master;   /* the bridge's index */
	unsigned int mtu;      /* 0: the kernel's default */
	const uint8_t *mac;    /* of the peer: 6 bytes */
};

/*
 * Makes both ends, down: the peer in its namespace, the near end in its bridge. Returns the
 * offset in batch->data of the namespace's descriptor, for whoever knows it only later.
 */
size_t link_add_veth(struct batch *batch, const struct link_veth *veth);
/* A macvlan or ipvlan, born in the container's namespace. */
struct link_child {
	const char *kind, *name;
	unsigned int parent, mtu;
	int netns_fd;
	const uint8_t *mac; /* of a macvlan; ipvlan has its parent's */
	uint32_t mode, flags;
};

/* Returns what link_add_veth() does. */
size_t link_add_child(struct batch *batch, const struct link_child *child);
void link_add_vlan(struct batch *batch, const char *name, unsigned int parent, uint16_t id);
/* A bridge, down. @mtu 0: the default. */
void link_add_bridge(struct batch *batch, const char *name, const uint8_t mac[6], unsigned int mtu);
void link_set_up(struct batch *batch, unsigned int index);
void link_set_up_by_name(struct batch *batch, const char *name);
/*
 * A bridge's port. @isolated: it hears and reaches only the bridge itself. @hairpin: what came
 * from it may go back to it.
 */
void link_set_port(struct batch *batch, const char *name, bool isolated, bool hairpin);
/* No link-local address, and so none of the multicasts that go with it. By name, or by index. */
void link_without_ipv6(struct batch *batch, const char *name, unsigned int index);
/*
 * Asks for a link, by name or (NULL) by index, for the question's effect alone: see the .c file.
 */
void link_settle(struct batch *batch, const char *name, unsigned int index);
void link_set_group(struct batch *batch, const char *name, uint32_t group);
void link_delete_group(struct batch *batch, uint32_t group);
/* One address, at once usable. */
struct ipaddr;
void link_add_address(struct batch *batch, unsigned int index, const struct ipaddr *ip,
		      unsigned int prefix);
/* The default route of its family; with @direct by the interface alone. */
void link_add_default_route(struct batch *batch, unsigned int index, const struct ipaddr *gateway,
			    bool direct);

/* Deletes all links of these names at the price of one; what is gone already is fine. */
int link_delete_many(int fd, const char *const *names, size_t count, struct error *err);
/* Index of interface @name in the namespace of @fd (a netlink or any other socket), or -errno. */
int link_index(int fd, const char *name);
/* Names of the ports of a bridge: strv. */
int link_ports(int fd, unsigned int master, char ***ret_names, struct error *err);

#endif
