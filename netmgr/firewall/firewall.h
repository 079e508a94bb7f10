/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_FIREWALL_FIREWALL_H
#define NETMGR_FIREWALL_FIREWALL_H

/*
 * firewall.h - rules as data, committed in one transaction, by iptables (libiptc) or nftables
 * (libnftables), whichever the host's other rules use (BERTH_FIREWALL=iptables|nftables|none
 * decides by hand).
 *
 * Two owners write rules: a network (isolation, masquerade, guards) and a container (published
 * ports). Each rule bears its owner in a comment, so that what an owner has can be replaced or
 * removed without knowing what it was, after any crash.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "netmgr/publish.h"

struct firewall_change {
	const char *owner;	    /* "container:ID" or "network:NAME"; at most 100 characters */
	const struct publish *ports; /* the container's; none: only remove what it had */
	size_t port_count;
};

/* Replaces the rules of all these owners in one commit. Waits for the host's xtables lock. */
int firewall_publish(const struct firewall_change *changes, size_t count, struct error *err);

const char *firewall_backend(void); /* "iptables", "nftables", "none" */

#endif
