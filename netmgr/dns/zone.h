/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_DNS_ZONE_H
#define NETMGR_DNS_ZONE_H

/*
 * zone.h - who is called what on which network.
 *
 * Several containers may share a name (a service's replicas): each answer starts with another of
 * them. Names are compared without regard to letters' case.
 */

#include "netmgr/dns/server.h"

struct zone;

struct zone *zone_new(void);
void zone_free(struct zone *zone);
void zone_add(struct zone *zone, const struct dns_names *names); /* replaces (network, container) */
/* @network NULL: from all of them. */
void zone_remove(struct zone *zone, const char *network, const char *container_id);

struct zone_address {
	struct in_addr ipv4;
	struct in6_addr ipv6;
	bool has_ipv4, has_ipv6;
};

#define ZONE_ANSWERS_MAX 256

/*
 * Addresses of lower-case @name on the first of @networks on which one of ours has it, else on the
 * first on which somebody has: there all that do, whoever's they are. "NAME.NETWORK" works, too.
 * How many (0: nobody has this name), at most ZONE_ANSWERS_MAX.
 */
size_t zone_find(struct zone *zone, const char *const *networks, const char *name,
		 struct zone_address ret[ZONE_ANSWERS_MAX]);

/* "NAME.NETWORK" for PTR, new; NULL: nobody on @networks has this address. */
char *zone_find_reverse(const struct zone *zone, const char *const *networks, int family,
			const struct in6_addr *address);

#endif
