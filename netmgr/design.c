// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/design.h"

#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/str.h"
#include "common/units.h"

#include "netmgr/netlink/link.h"

/* What a new network must keep clear of. */
struct occupied {
	struct ipam_taken taken;
	unsigned int *except; /* interfaces whose routes are its own, or go before it comes */
	size_t except_count;
};

static void occupied_done(struct occupied *occupied)
{
	ipam_taken_done(&occupied->taken);
	free(occupied->except);
}

static void leave_out(struct occupied *occupied, const struct network_store *store,
		      const struct network *network)
{
	int index = network->bridge[0] ? link_index(store->route_fd, network->bridge) : -ENODEV;

	if (index > 0)
		*array_add(occupied->except, occupied->except_count) = (unsigned int)index;
}

static void take_pools(struct occupied *occupied, const struct network *network)
{
	if (network->pool4.present)
		ipam_taken_add(&occupied->taken, &network->pool4.subnet);
	if (network->pool6.present)
		ipam_taken_add(&occupied->taken, &network->pool6.subnet);
}

static bool is_going(const struct design_changes *changes, const char *name)
{
	for (const char *const *going = changes ? changes->going : NULL; going && *going; going++)
		if (str_equal(*going, name))
			return true;
	return false;
}

/* Subnets of all other networks, whatever their state in the kernel. */
static int take_networks(const struct network_store *store, const struct design_changes *changes,
			 struct occupied *occupied, struct error *err)
{
	_cleanup_strv_ char **names = NULL;

	if (store_names(store, &names, err) < 0)
		return -err->code;
	strv_foreach(name, names) {
		_cleanup_network_ struct network *other = NULL;
		struct error broken = ERROR_INIT;

		if (store_load(store, name, &other, &broken) < 0)
			log_warning("%s", broken.message);
		else if (is_going(changes, name))
			leave_out(occupied, store, other);
		else
			take_pools(occupied, other);
	}
	for (size_t i = 0; changes && i < changes->coming_count; i++)
		take_pools(occupied, changes->coming[i]);
	return 0;
}

static int take_wished_pools(struct network *network, const struct network_options *options,
			     const struct ipam_taken *taken, struct error *err)
{
	for (size_t i = 0; i < options->pool_count; i++) {
		const struct network_pool *wish = &options->pools[i];
		struct ipam_pool pool, *target;

		if (!wish->subnet && !wish->ip_range && !wish->gateway)
			continue;
		if (ipam_pool_parse(wish, taken, &pool, err) < 0)
			return -err->code;
		target = pool.subnet.ip.family == AF_INET ? &network->pool4 : &network->pool6;
		if (target->present) {
			ipam_pool_done(&pool);
			return error_set(err, EINVAL,
					 "ipam: a bridge has one subnet of a family, "
					 "'%s' is a second",
					 wish->subnet);
		}
		*target = pool;
	}
	return 0;
}

static int choose_pools(const struct network_store *store, struct network *network,
			const struct network_options *options, const struct design_changes *changes,
			struct error *err)
{
	struct occupied occupied = {0};
	const struct ipam_taken *taken = &occupied.taken;
	int r;

	if (network->found_bridge)
		leave_out(&occupied, store, network);
	r = take_networks(store, changes, &occupied, err);
	if (r >= 0)
		r = ipam_taken_host(&occupied.taken, store->route_fd, occupied.except,
				    occupied.except_count, err);
	if (r >= 0)
		r = take_wished_pools(network, options, taken, err);
	if (r >= 0 && !network->pool4.present && !options->disable_ipv4)
		r = ipam_pool_choose(AF_INET, network->name, taken, &network->pool4, err);
	if (r >= 0 && !network->pool6.present && options->enable_ipv6)
		r = ipam_pool_choose(AF_INET6, network->name, taken, &network->pool6, err);
	occupied_done(&occupied);
	if (r >= 0 && !network->pool4.present && !network->pool6.present)
		r = error_set(err, EINVAL, "neither IPv4 nor IPv6 is enabled");
	return r;
}

int design_network(const struct network_store *store, const char *name,
		   const struct network_options *options, const struct design_changes *changes,
		   struct network *ret, struct error *err)
{
	ret->name = alloc_string(name);
	fs_random_hex(ret->id, 32);
	ret->driver = driver_find(options->driver);
	if (!ret->driver)
		return error_set(err, EINVAL,
				 "there is no driver '%s'; bridge, macvlan, ipvlan, host "
				 "and none are",
				 options->driver);
	ret->driver_opts =
		options->driver_opts ? json_deep_copy(options->driver_opts) : json_object();
	ret->labels = options->labels ? json_deep_copy(options->labels) : json_object();
	ret->internal = options->internal;
	ret->attachable = options->attachable;
	ret->created_nsec = units_now_nsec();
	if (ret->driver->configure(ret, err) < 0)
		return -err->code;
	if (!ret->driver->addresses) {
		if (options->pool_count)
			return error_set(err, EINVAL, "driver %s has no ipam", ret->driver->name);
		return 0;
	}
	ret->found_bridge = link_index(store->route_fd, ret->bridge) > 0;
	return choose_pools(store, ret, options, changes, err);
}
