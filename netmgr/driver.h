/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_DRIVER_H
#define NETMGR_DRIVER_H

/*
 * driver.h - what a kind of network does in the kernel; a row a kind.
 */

#include "common/error.h"

#include "netmgr/netlink/batch.h"

struct network;

struct network_driver {
	const char *name;
	bool addresses; /* has subnets, and interfaces in containers */
	bool child;     /* those are children of the host's interface: no rules, no ports */
	/* Reads driver_opts into @network; refuses what it does not know or cannot do. */
	int (*configure)(struct network *network, struct error *err);
	/* Whether ensure() could, as far as the host's interfaces tell. NULL: it always can. */
	int (*check)(const struct network *network, int fd, struct error *err);
	/* Makes what is missing in the kernel. @fd: rtnetlink, of the host. */
	int (*ensure)(const struct network *network, int fd, struct error *err);
	/* The interfaces of the host that go with it, of those that are there: its own last. New.
	 */
	int (*interfaces)(const struct network *network, int fd, char ***ret_names,
			  struct error *err);
};

extern const struct network_driver driver_bridge, driver_host, driver_none, driver_macvlan,
	driver_ipvlan;

/* NULL: none of this name; NULL as a name is "bridge". */
const struct network_driver *driver_find(const char *name);

#endif
