/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_IPAM_H
#define NETMGR_IPAM_H

/*
 * ipam.h - which subnet a network gets, and which addresses its containers.
 *
 * A network that does not ask gets a small subnet (/24, and an IPv6 ULA /64) that nothing on this
 * host knows a route to: no table, no address, no resolver, no other network of ours. Where the
 * search starts follows from the network's name, so that a network made again is the same again.
 */

#include "netmgr/ip.h"
#include "netmgr/network.h"

struct ipam_aux {
	char *name;
	struct ipaddr ip;
};

struct ipam_pool {
	bool present;
	struct subnet subnet, range; /* range lies in the subnet, or is it */
	struct ipaddr gateway;
	struct ipam_aux *aux;
	size_t aux_count;
};

struct ipam_lease {
	char *container;
	char interface[16]; /* on the host */
	struct ipaddr ip4, ip6;
	uint8_t mac[6];
	bool stale; /* of an earlier boot: its owner gets it back unless somebody needed it */
};

struct ipam_leases {
	struct ipam_lease *items;
	size_t count;
};

/* Subnets that a new network must not touch. */
struct ipam_taken {
	struct subnet *subnets;
	size_t count;
};
void ipam_taken_add(struct ipam_taken *taken, const struct subnet *subnet);
/* Routes and addresses of the host (but of the interfaces @except) and its resolvers. */
int ipam_taken_host(struct ipam_taken *taken, int route_fd, const unsigned int *except,
		    size_t except_count, struct error *err);
void ipam_taken_done(struct ipam_taken *taken);

/* A row as the user wrote it, checked. -EADDRINUSE: it overlaps. */
int ipam_pool_parse(const struct network_pool *wish, const struct ipam_taken *taken,
		    struct ipam_pool *ret, struct error *err);
/* A free small subnet of @family for network @name. -EADDRINUSE: none is left. */
int ipam_pool_choose(int family, const char *name, const struct ipam_taken *taken,
		     struct ipam_pool *ret, struct error *err);
void ipam_pool_done(struct ipam_pool *pool);

/*
 * Takes a lease for @container out of both pools (either may be absent): the wished addresses, the
 * ones it had, or the lowest free ones. The lease is in @leases and stays owned by it; it may move
 * with the next call. -EADDRINUSE, -EINVAL: the wish. -ENOSPC: all are taken.
 */
int ipam_lease(struct ipam_leases *leases, const struct ipam_pool *pool4,
	       const struct ipam_pool *pool6, const struct endpoint_options *wish,
	       struct ipam_lease **ret, struct error *err);
/* False: it had none. */
bool ipam_release(struct ipam_leases *leases, const char *container);
size_t ipam_leases_active(const struct ipam_leases *leases);
void ipam_leases_done(struct ipam_leases *leases);

#endif
