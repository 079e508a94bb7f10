// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/str.h"
#include "common/units.h"

#include "netmgr/design.h"
#include "netmgr/firewall/firewall.h"
#include "netmgr/netlink/link.h"

#define NETWORKS_MAX 4096

static void describe_rules(const struct network *network, struct firewall_network *ret)
{
	*ret = (struct firewall_network){
		.internal = network->internal,
		.icc = network->icc,
		.masquerade = network->masquerade,
		.direct = network->direct,
	};
	memcpy(ret->bridge, network->bridge, sizeof(ret->bridge));
	memcpy(ret->trusted, network->trusted, sizeof(ret->trusted));
	if (network->pool4.present) {
		ret->subnet4 = network->pool4.subnet;
		ret->gateway4 = network->pool4.gateway;
	}
	if (network->pool6.present) {
		ret->subnet6 = network->pool6.subnet;
		ret->gateway6 = network->pool6.gateway;
	}
}

enum rules_wish { RULES_WANTED, RULES_MENDED, RULES_REMOVED };

/* Rules of many networks in one commit. 1: of RULES_MENDED, something was missing. */
static int commit_rules(struct network *const *networks, size_t count, enum rules_wish wish,
			struct error *err)
{
	struct firewall_network *rules = new_array(struct firewall_network, count + 1);
	struct firewall_network_change *changes =
		new_array(struct firewall_network_change, count + 1);
	char(*owners)[112] = alloc_zero(count + 1, sizeof(*owners));
	size_t used = 0;
	int r;

	for (size_t i = 0; i < count; i++) {
		if (!networks[i] || !networks[i]->driver->addresses || networks[i]->driver->child)
			continue;
		snprintf(owners[used], sizeof(owners[used]), "network:%s", networks[i]->id);
		describe_rules(networks[i], &rules[used]);
		changes[used].owner = owners[used];
		changes[used].network = wish == RULES_REMOVED ? NULL : &rules[used];
		used++;
	}
	r = wish == RULES_MENDED ? firewall_networks_mend(changes, used, err)
				 : firewall_networks(changes, used, err);
	free(rules);
	free(changes);
	free(owners);
	return r;
}

int network_create(struct network_store *store, const char *name,
		   const struct network_options *options, struct error *err)
{
	_cleanup_network_ struct network *network = new (struct network);
	_cleanup_close_ int lock = -EBADF;
	_cleanup_strv_ char **names = NULL;
	int r;

	if (!store_name_valid(name))
		return error_set(
			err, EINVAL,
			"network '%.100s': a name has letters, digits, '_', '.' and '-', 92 "
			"at most, and begins with a letter or digit",
			name);
	lock = network_store_lock(store, err);
	if (lock < 0 || store_names(store, &names, err) < 0)
		return error_wrap(err, "network %s", name);
	if (strv_contains(names, name))
		return error_set(err, EEXIST, "network %s: there is one of this name already",
				 name);
	if (strv_length(names) >= NETWORKS_MAX)
		return error_set(err, ENOSPC, "network %s: there are %u networks already", name,
				 NETWORKS_MAX);
	r = design_network(store, name, options, NULL, network, err);
	if (r >= 0)
		r = store_add(store, network, err);
	if (r < 0)
		return error_wrap(err, "network %s", name);
	return 0;
}

static void describe_pool(const struct ipam_pool *pool, char **ret_subnet, char **ret_gateway)
{
	char text[SUBNET_TEXT_MAX];

	if (!pool->present)
		return;
	*ret_subnet = alloc_string(subnet_format(&pool->subnet, text));
	*ret_gateway = alloc_string(ip_format(&pool->gateway, text));
}

static int describe(struct network_store *store, const char *name, struct network_info **ret,
		    struct error *err)
{
	_cleanup_network_ struct network *network = NULL;
	struct ipam_leases *leases;
	struct network_info *info;

	if (store_load(store, name, &network, err) < 0 ||
	    store_leases(store, name, &leases, err) < 0)
		return -err->code;
	info = new (struct network_info);
	info->name = alloc_string(name);
	info->id = alloc_string(network->id);
	info->driver = alloc_string(network->driver->name);
	info->bridge = network->bridge[0] && !network->driver->child ? alloc_string(network->bridge)
								     : NULL;
	info->driver_opts = json_incref(network->driver_opts);
	info->labels = json_incref(network->labels);
	info->internal = network->internal;
	info->attachable = network->attachable;
	info->ipv4 = network->pool4.present;
	info->ipv6 = network->pool6.present;
	describe_pool(&network->pool4, &info->subnet4, &info->gateway4);
	describe_pool(&network->pool6, &info->subnet6, &info->gateway6);
	info->created_nsec = network->created_nsec;
	info->attachments = ipam_leases_active(leases);
	info->record = store_record(network);
	*ret = info;
	return 0;
}

int network_inspect(struct network_store *store, const char *name, struct network_info **ret,
		    struct error *err)
{
	_cleanup_close_ int lock = network_store_lock(store, err);

	return lock < 0 ? lock : describe(store, name, ret, err);
}

void network_info_free(struct network_info *info)
{
	if (!info)
		return;
	free(info->name);
	free(info->id);
	free(info->driver);
	free(info->bridge);
	json_decref(info->driver_opts);
	json_decref(info->labels);
	free(info->subnet4);
	free(info->gateway4);
	free(info->subnet6);
	free(info->gateway6);
	json_decref(info->record);
	free(info);
}

int network_list(struct network_store *store, struct network_info ***ret, size_t *ret_count,
		 struct error *err)
{
	_cleanup_close_ int lock = network_store_lock(store, err);
	_cleanup_strv_ char **names = NULL;
	struct network_info **list = NULL;
	size_t count = 0;

	if (lock < 0 || store_names(store, &names, err) < 0)
		return -err->code;
	strv_foreach(name, names) {
		struct network_info *info;
		struct error broken = ERROR_INIT;

		if (describe(store, name, &info, &broken) < 0)
			log_warning("%s", broken.message);
		else
			*array_add(list, count) = info;
	}
	*ret = list;
	*ret_count = count;
	return 0;
}

int network_ensure(struct network_store *store, const char *name, struct error *err)
{
	return network_ensure_many(store, &name, 1, err);
}

static void free_networks(struct network **networks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		network_free(networks[i]);
	free(networks);
}

int network_ensure_many(struct network_store *store, const char *const *names, size_t count,
			struct error *err)
{
	_cleanup_close_ int lock = network_store_lock(store, err);
	struct network **networks;
	int r = 0;

	if (lock < 0)
		return lock;
	networks = new_array(struct network *, count + 1);
	for (size_t i = 0; i < count && r >= 0; i++) {
		r = store_load(store, names[i], &networks[i], err);
		if (r < 0)
			break;
		r = networks[i]->driver->ensure(networks[i], store->route_fd, err);
		if (r < 0)
			error_wrap(err, "network %s", names[i]);
	}
	if (r >= 0)
		r = commit_rules(networks, count, RULES_WANTED, err);
	free_networks(networks, count);
	return r;
}

int network_mend_rules(struct network_store *store, const char *const *names, size_t count,
		       struct error *err)
{
	_cleanup_close_ int lock = network_store_lock(store, err);
	struct network **networks;
	int r = 0;

	if (lock < 0)
		return lock;
	networks = new_array(struct network *, count + 1);
	for (size_t i = 0; i < count && r >= 0; i++)
		r = store_load(store, names[i], &networks[i], err);
	if (r >= 0)
		r = commit_rules(networks, count, RULES_MENDED, err);
	free_networks(networks, count);
	return r;
}

/* Abandoned: whatever leases it has. From the kernel: its record stays. */
enum removal { REMOVE_UNUSED, REMOVE_ABANDONED, REMOVE_FROM_KERNEL };

/* The network, if nothing keeps it. With @abandoned leases do not. */
static int load_unused(struct network_store *store, const char *name, bool abandoned,
		       struct network **ret, struct error *err)
{
	struct ipam_leases *leases;
	size_t active;

	if (store_leases(store, name, &leases, err) < 0 || store_load(store, name, ret, err) < 0)
		return -err->code;
	active = ipam_leases_active(leases);
	if (!active || abandoned)
		return 0;
	network_free(*ret);
	*ret = NULL;
	return error_set(err, EBUSY, "network %s: %zu container%s attached to it", name, active,
			 active == 1 ? " is" : "s are");
}

/*
 * Leases outlive a stop, links do not; those of a macvlan or ipvlan are not seen from here, so that
 * of them only the caller knows.
 */
static int load_idle(struct network_store *store, const char *name, struct network **ret,
		     struct error *err)
{
	_cleanup_strv_ char **interfaces = NULL;
	struct network *network;
	int r = store_load(store, name, &network, err);

	if (r < 0)
		return r;
	r = network->driver->interfaces(network, store->route_fd, &interfaces, err);
	if (r == 0 && strv_length(interfaces) > 1)
		r = error_set(err, EBUSY, "network %s: containers run in it", name);
	if (r == 0)
		*ret = network;
	else
		network_free(network);
	return r;
}

static int load_for_removal(struct network_store *store, const char *name, enum removal removal,
			    struct network **ret, struct error *err)
{
	if (removal == REMOVE_FROM_KERNEL)
		return load_idle(store, name, ret, err);
	return load_unused(store, name, removal == REMOVE_ABANDONED, ret, err);
}

static int remove_interfaces(struct network *const *networks, size_t count, int fd,
			     struct error *err)
{
	_cleanup_strv_ char **all = NULL;

	for (size_t i = 0; i < count; i++) {
		_cleanup_strv_ char **names = NULL;

		if (!networks[i])
			continue;
		if (networks[i]->driver->interfaces(networks[i], fd, &names, err) < 0)
			return -err->code;
		strv_foreach(name, names)
			strv_append(&all, name);
	}
	return link_delete_many(fd, (const char *const *)all, strv_length(all), err);
}

/* Together, unless one is in the way of the others. */
static void remove_from_kernel(struct network **networks, size_t count, int fd,
			       struct error *errors)
{
	struct error failure = ERROR_INIT;

	if (remove_interfaces(networks, count, fd, &failure) == 0)
		return;
	for (size_t i = 0; i < count; i++)
		if (networks[i] && remove_interfaces(&networks[i], 1, fd, &errors[i]) < 0)
			error_wrap(&errors[i], "network %s", networks[i]->name);
}

static void remove_all(struct network_store *store, const char *const *names, size_t count,
		       enum removal removal, struct error *errors)
{
	struct error failure = ERROR_INIT, rules = ERROR_INIT;
	_cleanup_close_ int lock = network_store_lock(store, &failure);
	struct network **networks = new_array(struct network *, count + 1);

	for (size_t i = 0; i < count; i++) {
		errors[i] = failure;
		if (lock >= 0)
			(void)load_for_removal(store, names[i], removal, &networks[i], &errors[i]);
	}
	if (lock >= 0)
		(void)commit_rules(networks, count, RULES_REMOVED, &rules);
	remove_from_kernel(networks, count, store->route_fd, errors);
	/* The record goes last: what stays in the kernel is found again by it. */
	for (size_t i = 0; i < count && removal != REMOVE_FROM_KERNEL; i++)
		if (networks[i] && !errors[i].code && store_remove(store, names[i], &errors[i]) < 0)
			error_wrap(&errors[i], "network %s", names[i]);
	for (size_t i = 0; i < count; i++)
		if (networks[i] && !errors[i].code)
			errors[i] = rules;
	free_networks(networks, count);
}

void network_remove_many(struct network_store *store, const char *const *names, size_t count,
			 struct error *errors)
{
	remove_all(store, names, count, REMOVE_UNUSED, errors);
}

void network_put_away_many(struct network_store *store, const char *const *names, size_t count,
			   struct error *errors)
{
	remove_all(store, names, count, REMOVE_FROM_KERNEL, errors);
}

int network_remove_abandoned(struct network_store *store, const char *name, struct error *err)
{
	remove_all(store, &name, 1, REMOVE_ABANDONED, err);
	return -err->code;
}

int network_remove(struct network_store *store, const char *name, struct error *err)
{
	network_remove_many(store, &name, 1, err);
	return -err->code;
}
