/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_NETLINK_ROUTE_H
#define NETMGR_NETLINK_ROUTE_H

/*
 * route.h - what the host already reaches: subnets of all its routes (every table) and addresses.
 */

#include "common/error.h"

#include "netmgr/ip.h"

struct taken_subnet {
	struct subnet subnet;
	unsigned int interface; /* index; 0: none or several */
};

/* Default routes are left out. *ret is the caller's to free(). */
int route_list_taken(int fd, struct taken_subnet **ret, size_t *ret_count, struct error *err);

#endif
