// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/ipam.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/rootless.h"
#include "common/sha256.h"
#include "common/str.h"

#include "netmgr/netlink/route.h"

void ipam_taken_add(struct ipam_taken *taken, const struct subnet *subnet)
{
	*array_add(taken->subnets, taken->count) = *subnet;
}

void ipam_taken_done(struct ipam_taken *taken)
{
	free(taken->subnets);
	*taken = (struct ipam_taken){0};
}

/* A resolver may lie behind the default route, in a private subnet that no route names. */
static void take_resolvers(struct ipam_taken *taken)
{
	_cleanup_fclose_ FILE *file = fopen("/etc/resolv.conf", "re");
	char line[256], address[64];
	struct ipaddr ip;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, " nameserver %63s", address) != 1 || ip_parse(address, &ip) < 0)
			continue;
		ipam_taken_add(taken, &(struct subnet){.ip = ip, .prefix = ip_bits(ip.family)});
	}
}

static bool is_among(unsigned int interface, const unsigned int *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == interface)
			return true;
	return false;
}

static int take_routes(struct ipam_taken *taken, int route_fd, const unsigned int *except,
		       size_t except_count, struct error *err)
{
	_cleanup_free_ struct taken_subnet *routes = NULL;
	size_t count;
	int r;

	r = route_list_taken(route_fd, &routes, &count, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		if (!is_among(routes[i].interface, except, except_count))
			ipam_taken_add(taken, &routes[i].subnet);
	return 0;
}

int ipam_taken_host(struct ipam_taken *taken, int route_fd, const unsigned int *except,
		    size_t except_count, struct error *err)
{
	_cleanup_close_ int host = -EBADF;
	int r = take_routes(taken, route_fd, except, except_count, err);

	/* An ordinary user's bridges are not where the host's routes are. */
	if (r >= 0 && rootless()) {
		host = rootless_host_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
		r = host < 0 ? error_code(err, host, "ask the host for its routes")
			     : take_routes(taken, host, NULL, 0, err);
	}
	if (r >= 0)
		take_resolvers(taken);
	return r < 0 ? r : 0;
}

static const struct subnet *find_overlap(const struct ipam_taken *taken,
					 const struct subnet *subnet)
{
	for (size_t i = 0; i < taken->count; i++)
		if (taken->subnets[i].ip.family == subnet->ip.family &&
		    subnet_overlaps(&taken->subnets[i], subnet))
			return &taken->subnets[i];
	return NULL;
}

static struct ipaddr first_host(const struct subnet *subnet)
{
	unsigned int hosts = ip_bits(subnet->ip.family) - subnet->prefix;

	return ip_add(&subnet->ip, hosts > 1 ? 1 : 0);
}

static int parse_member(const struct subnet *subnet, const char *what, const char *text,
			struct ipaddr *ret, struct error *err)
{
	char buffer[SUBNET_TEXT_MAX];

	if (ip_parse(text, ret) < 0)
		return error_set(err, EINVAL, "%s '%s' is not an IP address", what, text);
	if (!subnet_contains(subnet, ret))
		return error_set(err, EINVAL, "%s %s is not in subnet %s", what, text,
				 subnet_format(subnet, buffer));
	return 0;
}

static int parse_aux(struct ipam_pool *pool, const json_t *addresses, struct error *err)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)addresses, name, value) {
		struct ipam_aux *aux;
		struct ipaddr ip;

		if (parse_member(&pool->subnet, "auxiliary address",
				 json_is_string(value) ? json_string_value(value) : "", &ip,
				 err) < 0)
			return -err->code;
		aux = array_add(pool->aux, pool->aux_count);
		aux->name = alloc_string(name);
		aux->ip = ip;
	}
	return 0;
}

static int parse_pool(const struct network_pool *wish, struct ipam_pool *pool, struct error *err)
{
	char buffer[SUBNET_TEXT_MAX];
	struct ipaddr last;

	if (subnet_parse(wish->subnet, &pool->subnet) < 0)
		return error_set(err, EINVAL,
				 "subnet '%s' is not of the form ADDRESS/PREFIX, like 10.1.2.0/24",
				 wish->subnet);
	pool->range = pool->subnet;
	if (wish->ip_range) {
		if (subnet_parse(wish->ip_range, &pool->range) < 0 ||
		    !subnet_contains(&pool->subnet, &pool->range.ip) ||
		    pool->range.prefix < pool->subnet.prefix)
			return error_set(err, EINVAL, "ip_range '%s' is not a part of subnet %s",
					 wish->ip_range, subnet_format(&pool->subnet, buffer));
	}
	pool->gateway = first_host(&pool->subnet);
	if (wish->gateway &&
	    parse_member(&pool->subnet, "gateway", wish->gateway, &pool->gateway, err) < 0)
		return -err->code;
	last = subnet_last(&pool->subnet);
	if (pool->subnet.ip.family == AF_INET && pool->subnet.prefix < 31 &&
	    (ip_equal(&pool->gateway, &pool->subnet.ip) || ip_equal(&pool->gateway, &last)))
		return error_set(err, EINVAL,
				 "gateway %s is the network's own or its broadcast "
				 "address",
				 wish->gateway);
	return parse_aux(pool, wish->aux_addresses, err);
}

int ipam_pool_parse(const struct network_pool *wish, const struct ipam_taken *taken,
		    struct ipam_pool *ret, struct error *err)
{
	char wanted[SUBNET_TEXT_MAX], other[SUBNET_TEXT_MAX];
	struct ipam_pool pool = {.present = true};
	const struct subnet *overlap;
	int r;

	if (!wish->subnet)
		return error_set(err, EINVAL,
				 "ipam: ip_range, gateway and aux_addresses need a "
				 "subnet beside them");
	r = parse_pool(wish, &pool, err);
	if (r < 0) {
		ipam_pool_done(&pool);
		return r;
	}
	overlap = find_overlap(taken, &pool.subnet);
	if (overlap) {
		r = error_set(err, EADDRINUSE,
			      "subnet %s overlaps %s, which another network or a route of this "
			      "host has",
			      subnet_format(&pool.subnet, wanted), subnet_format(overlap, other));
		ipam_pool_done(&pool);
		return r;
	}
	*ret = pool;
	return 0;
}

/* Walks a wide pool in steps of its small subnets, from where the seed says. */
static bool choose_from(const char *wide_text, unsigned int prefix, uint32_t seed,
			const struct ipam_taken *taken, struct subnet *ret)
{
	struct subnet wide;
	uint32_t steps, step;

	(void)subnet_parse(wide_text, &wide);
	steps = UINT32_C(1) << (prefix - wide.prefix);
	for (step = 0; step < steps; step++) {
		uint64_t offset = (uint64_t)((seed + step) % steps)
				  << (ip_bits(wide.ip.family) - prefix);
		struct ipaddr ip = ip_add(&wide.ip, offset);

		*ret = subnet_of(&ip, prefix);
		if (!find_overlap(taken, ret))
			return true;
	}
	return false;
}

/* RFC 4193 asks for a random global id: the machine's and the network's names make it. */
static bool choose_ula(const uint8_t *seed, const struct ipam_taken *taken, struct subnet *ret)
{
	for (unsigned int attempt = 0; attempt < 256; attempt++) {
		struct ipaddr ip = {.family = AF_INET6, .bytes = {0xfd}};

		memcpy(ip.bytes + 1, seed, 7);
		ip.bytes[7] += attempt;
		*ret = subnet_of(&ip, 64);
		if (!find_overlap(taken, ret))
			return true;
	}
	return false;
}

static void seed_of(const char *name, uint8_t ret_seed[8])
{
	_cleanup_free_ char *machine = NULL;
	struct error ignored = ERROR_INIT;
	char hex[SHA256_HEX_SIZE];
	struct sha256 sha;

	sha256_init(&sha);
	if (fs_read(AT_FDCWD, "/etc/machine-id", 4096, &machine, NULL, &ignored) >= 0)
		sha256_update(&sha, machine, strlen(machine));
	sha256_update(&sha, name, strlen(name));
	sha256_hex(&sha, hex);
	for (unsigned int i = 0; i < 8; i++) {
		unsigned int byte = 0;

		(void)sscanf(hex + 2 * i, "%2x", &byte);
		ret_seed[i] = byte;
	}
}

int ipam_pool_choose(int family, const char *name, const struct ipam_taken *taken,
		     struct ipam_pool *ret, struct error *err)
{
	struct ipam_pool pool = {.present = true};
	uint8_t seed[8];
	uint32_t start;
	bool found;

	seed_of(name, seed);
	memcpy(&start, seed, sizeof(start));
	start &= 0xffffff;
	if (family == AF_INET6)
		found = choose_ula(seed, taken, &pool.subnet);
	else
		found = choose_from("172.16.0.0/12", 24, start, taken, &pool.subnet) ||
			choose_from("10.0.0.0/8", 24, start, taken, &pool.subnet) ||
			choose_from("192.168.0.0/16", 24, start, taken, &pool.subnet);
	if (!found)
		return error_set(err, EADDRINUSE,
				 "no private subnet is left that this host has no route to; name "
				 "one under ipam.config");
	pool.range = pool.subnet;
	pool.gateway = first_host(&pool.subnet);
	*ret = pool;
	return 0;
}

void ipam_pool_done(struct ipam_pool *pool)
{
	for (size_t i = 0; i < pool->aux_count; i++)
		free(pool->aux[i].name);
	free(pool->aux);
	*pool = (struct ipam_pool){0};
}

static const struct ipaddr *lease_ip(const struct ipam_lease *lease, int family)
{
	return family == AF_INET ? &lease->ip4 : &lease->ip6;
}

static struct ipam_lease *find_holder(const struct ipam_leases *leases, const struct ipaddr *ip)
{
	for (size_t i = 0; i < leases->count; i++)
		if (ip_equal(lease_ip(&leases->items[i], ip->family), ip))
			return &leases->items[i];
	return NULL;
}

static bool is_reserved(const struct ipam_pool *pool, const struct ipaddr *ip)
{
	unsigned int hosts = ip_bits(ip->family) - pool->subnet.prefix;
	struct ipaddr last = subnet_last(&pool->subnet);

	if (ip_equal(ip, &pool->gateway))
		return true;
	if (hosts > 1 &&
	    (ip_equal(ip, &pool->subnet.ip) || (ip->family == AF_INET && ip_equal(ip, &last))))
		return true;
	for (size_t i = 0; i < pool->aux_count; i++)
		if (ip_equal(ip, &pool->aux[i].ip))
			return true;
	return false;
}

static void forget(struct ipam_leases *leases, struct ipam_lease *lease)
{
	size_t at = lease - leases->items;

	free(lease->container);
	memmove(lease, lease + 1, (leases->count - at - 1) * sizeof(*lease));
	leases->count--;
}

/* Makes @ip free if only a container of an earlier boot had it. */
static bool make_free(struct ipam_leases *leases, const char *container, const struct ipaddr *ip,
		      bool steal)
{
	struct ipam_lease *holder = find_holder(leases, ip);

	if (!holder || str_equal(holder->container, container))
		return true;
	if (!holder->stale || !steal)
		return false;
	forget(leases, holder);
	return true;
}

static int choose_ip(struct ipam_leases *leases, const struct ipam_pool *pool,
		     const char *container, struct ipaddr *ret, struct error *err)
{
	uint64_t size = subnet_size(&pool->range), limit = leases->count + pool->aux_count + 4;
	char buffer[SUBNET_TEXT_MAX];

	/* So many are in use at most: among as many and one there is a free one. */
	limit = limit < size ? limit : size;
	for (int steal = 0; steal < 2; steal++)
		for (uint64_t i = 0; i < limit; i++) {
			*ret = ip_add(&pool->range.ip, i);
			if (!is_reserved(pool, ret) && make_free(leases, container, ret, steal))
				return 0;
		}
	return error_set(err, ENOSPC, "all addresses of %s are taken",
			 subnet_format(&pool->range, buffer));
}

/* Of an id, as much as tells it apart; who has none yet is known by its name. */
static int shown_length(const char *container)
{
	return strlen(container) == 64 ? 12 : 64;
}

static int choose_or_check(struct ipam_leases *leases, const struct ipam_pool *pool,
			   const char *wish, const struct endpoint_options *options,
			   const struct ipaddr *had, struct ipaddr *ret, struct error *err)
{
	if (!pool->present) {
		if (wish)
			return error_set(err, EINVAL,
					 "address %s: the network has no subnet of that family",
					 wish);
		*ret = (struct ipaddr){0};
		return 0;
	}
	if (!wish) {
		*ret = *had;
		if (had->family && subnet_contains(&pool->subnet, had))
			return 0;
		return choose_ip(leases, pool, options->container_id, ret, err);
	}
	if (parse_member(&pool->subnet, "address", wish, ret, err) < 0)
		return -err->code;
	if (is_reserved(pool, ret))
		return error_set(err, EADDRINUSE, "address %s is reserved in this network", wish);
	if (!make_free(leases, options->container_id, ret, true))
		return error_set(err, EADDRINUSE, "address %s is already taken by container %.*s",
				 wish, shown_length(find_holder(leases, ret)->container),
				 find_holder(leases, ret)->container);
	return 0;
}

static struct ipam_lease *find_owner(const struct ipam_leases *leases, const char *container)
{
	for (size_t i = 0; i < leases->count; i++)
		if (str_equal(leases->items[i].container, container))
			return &leases->items[i];
	return NULL;
}

/*
 * The address makes the hardware address, so that what neighbours remember of an address stays
 * true when another container gets it.
 */
static int choose_mac(const char *wish, const struct ipam_lease *lease, uint8_t ret[6],
		      struct error *err)
{
	char rest;

	if (wish) {
		if (sscanf(wish, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &ret[0], &ret[1], &ret[2],
			   &ret[3], &ret[4], &ret[5], &rest) != 6 ||
		    (ret[0] & 1))
			return error_set(err, EINVAL,
					 "mac_address '%s' is not one, like "
					 "02:42:ac:11:00:02",
					 wish);
		return 0;
	}
	ret[0] = 0x02;
	ret[1] = 0x42;
	memcpy(ret + 2, lease->ip4.family ? lease->ip4.bytes : lease->ip6.bytes + 12, 4);
	return 0;
}

int ipam_lease(struct ipam_leases *leases, const struct ipam_pool *pool4,
	       const struct ipam_pool *pool6, const struct endpoint_options *wish,
	       struct ipam_lease **ret, struct error *err)
{
	const struct ipam_lease *had = find_owner(leases, wish->container_id);
	struct ipam_lease lease = had ? *had : (struct ipam_lease){0}, *slot;
	char hex[9];

	if (choose_or_check(leases, pool4, wish->ipv4_address, wish, &lease.ip4, &lease.ip4, err) <
		    0 ||
	    choose_or_check(leases, pool6, wish->ipv6_address, wish, &lease.ip6, &lease.ip6, err) <
		    0 ||
	    choose_mac(wish->mac_address, &lease, lease.mac, err) < 0)
		return -err->code;
	fs_random_hex(hex, 4);
	snprintf(lease.interface, sizeof(lease.interface), "veth%.7s", hex);
	lease.stale = false;
	slot = find_owner(leases, wish->container_id);
	if (!slot) {
		slot = array_add(leases->items, leases->count);
		lease.container = alloc_string(wish->container_id);
	}
	*slot = lease;
	*ret = slot;
	return 0;
}

bool ipam_release(struct ipam_leases *leases, const char *container)
{
	struct ipam_lease *lease = find_owner(leases, container);

	if (lease)
		forget(leases, lease);
	return lease;
}

size_t ipam_leases_active(const struct ipam_leases *leases)
{
	size_t active = 0;

	for (size_t i = 0; i < leases->count; i++)
		active += !leases->items[i].stale;
	return active;
}

void ipam_leases_done(struct ipam_leases *leases)
{
	for (size_t i = 0; i < leases->count; i++)
		free(leases->items[i].container);
	free(leases->items);
	*leases = (struct ipam_leases){0};
}
