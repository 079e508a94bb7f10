/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_FIREWALL_FIREWALL_H
#define NETMGR_FIREWALL_FIREWALL_H

/*
 * firewall.h - rules as data, committed in one transaction, by iptables (libiptc) or
 * nftables (netlink), whichever the host's other rules use (BERTH_FIREWALL=iptables|nftables|none
 * decides by hand).
 *
 * Two owners write rules: a network (isolation, masquerade, guards) and a container (published
 * ports). Each rule bears its owner in a comment, so that what an owner has can be replaced or
 * removed without knowing what it was, after any crash. What owners left who are gone altogether
 * (dead.h) goes with the next network's commit.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

#include "netmgr/ip.h"
#include "netmgr/publish.h"

struct firewall_change {
	const char *owner;           /* "container:ID" or "network:ID"; at most 100 characters */
	const struct publish *ports; /* the container's; none: only remove what it had */
	size_t port_count;
};

/* Replaces the rules of all these owners in one commit. Waits for the host's xtables lock. */
int firewall_publish(const struct firewall_change *changes, size_t count, struct error *err);

/* What the rules of one network follow from. */
struct firewall_network {
	char bridge[16];
	char trusted[4][16];            /* what comes in there may bear its addresses */
	struct subnet subnet4, subnet6; /* family 0: none */
	struct ipaddr gateway4, gateway6;
	bool internal;   /* no way in or out */
	bool icc;        /* its containers reach each other */
	bool masquerade; /* leaves under the host's address */
	bool direct;     /* its addresses are reachable from outside (gateway_mode routed) */
};

struct firewall_network_change {
	const char *owner; /* "network:ID": another installation may have one of this name */
	const struct firewall_network *network; /* NULL: remove what it had */
};

/* As firewall_publish(), for networks. */
int firewall_networks(const struct firewall_network_change *changes, size_t count,
		      struct error *err);

/*
 * The same, but only where somebody else's doing took rules of theirs away, or made those that ours
 * have to stand among. 1: so it was; 0: all is there.
 */
int firewall_networks_mend(const struct firewall_network_change *changes, size_t count,
			   struct error *err);

const char *firewall_backend(void); /* "iptables", "nftables", "none" */

#endif
