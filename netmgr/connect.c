// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/log.h"
#include "common/process.h"
#include "common/str.h"

#include "netmgr/attachment.h"
#include "netmgr/netlink/link.h"
#include "netmgr/store.h"

DEFINE_CLEANUP(struct attachment *, attachment_free);
#define _cleanup_attachment_ _cleanup_(cleanup_attachment_free)

static struct attachment *attachment_new(const char *container, bool dns)
{
	struct attachment *attachment = new (struct attachment);

	attachment->container = alloc_string(container);
	attachment->host_fd = -EBADF;
	attachment->redirect = dns ? redirect_prepare() : NULL;
	return attachment;
}

/* Ids stand in files and names of ours: words only. */
static int check_container(const char *id, struct error *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.-";

	if (!id || !id[0] || strlen(id) > 80 || id[strspn(id, allowed)])
		return error_set(err, EINVAL, "container '%.80s': not an id", id ? id : "");
	return 0;
}

static int check_interface(const char *name, struct error *err)
{
	if (!name[0] || strlen(name) > 15 || strpbrk(name, "/ \t\n:%") || str_equal(name, ".") ||
	    str_equal(name, "..") || str_equal(name, "lo"))
		return error_set(err, EINVAL,
				 "interface_name '%s' cannot be an interface's name (15 characters "
				 "at most)",
				 name);
	return 0;
}

static bool interface_taken(const struct attachment *attachment, const char *name)
{
	for (size_t i = 0; i < attachment->count; i++)
		if (str_equal(attachment->endpoints[i].interface_name, name))
			return true;
	return false;
}

/* The wished name, or the first free of PREFIX0, PREFIX1, ... */
static int name_interface(const struct attachment *attachment, const struct network *network,
			  const char *wish, char **ret, struct error *err)
{
	if (wish) {
		if (check_interface(wish, err) < 0)
			return -err->code;
		if (interface_taken(attachment, wish))
			return error_set(err, EINVAL, "interface_name '%s' is used twice", wish);
		*ret = alloc_string(wish);
		return 0;
	}
	for (unsigned int i = 0;; i++) {
		_cleanup_free_ char *name = str_printf("%s%u", network->interface_prefix, i);

		if (interface_taken(attachment, name))
			continue;
		*ret = TAKE_PTR(name);
		return 0;
	}
}

static int add_link_locals(struct endpoint_extra *extra, const char *const *ips, struct error *err)
{
	for (; ips && *ips; ips++) {
		struct subnet link4, link6;
		struct ipaddr ip;

		(void)subnet_parse("169.254.0.0/16", &link4);
		(void)subnet_parse("fe80::/10", &link6);
		if (ip_parse(*ips, &ip) < 0 ||
		    !(subnet_contains(&link4, &ip) || subnet_contains(&link6, &ip)))
			return error_set(err, EINVAL,
					 "link_local_ips: '%s' is not a link-local "
					 "address",
					 *ips);
		if (extra->link_local_count == LINK_LOCALS_MAX)
			return error_set(err, E2BIG, "link_local_ips: %d at most", LINK_LOCALS_MAX);
		extra->link_local[extra->link_local_count++] = ip;
	}
	return 0;
}

static void fill_endpoint(struct endpoint *endpoint, const struct network *network,
			  const struct ipam_lease *lease)
{
	endpoint->network = alloc_string(network->name);
	endpoint->host_interface = alloc_string(lease->interface);
	endpoint->internal = network->internal;
	memcpy(endpoint->mac, lease->mac, sizeof(endpoint->mac));
	endpoint->has_ipv4 = lease->ip4.family;
	endpoint->has_ipv6 = lease->ip6.family;
	if (endpoint->has_ipv4) {
		endpoint->ipv4 = ip_to4(&lease->ip4);
		endpoint->prefix4 = network->pool4.subnet.prefix;
		endpoint->gateway4 = ip_to4(&network->pool4.gateway);
	}
	if (endpoint->has_ipv6) {
		endpoint->ipv6 = ip_to6(&lease->ip6);
		endpoint->prefix6 = network->pool6.subnet.prefix;
		endpoint->gateway6 = ip_to6(&network->pool6.gateway);
	}
}

/*
 * Where bridges ask iptables (br_netfilter, which Docker loads), a container's packet to its own
 * published port is turned round in the bridge and never reaches the host's routing.
 */
static bool bridges_redirect(void)
{
	char value = '0';
	_cleanup_close_ int fd =
		open("/proc/sys/net/bridge/bridge-nf-call-iptables", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, &value, 1) == 1 && value == '1';
}

int endpoint_check(const struct endpoint_options *wish, struct error *err)
{
	struct endpoint_extra extra = {0};

	if (wish->interface_name && check_interface(wish->interface_name, err) < 0)
		return -err->code;
	return add_link_locals(&extra, wish->link_local_ips, err);
}

/* A lease, and what its network says of the interface. */
static int add_endpoint(struct network_store *store, struct attachment *attachment,
			const struct network *network, const struct endpoint_options *wish,
			struct error *err)
{
	struct endpoint_extra extra = {.gw_priority = wish->gw_priority};
	_cleanup_free_ char *interface = NULL;
	struct ipam_leases *leases;
	struct ipam_lease *lease;
	struct endpoint *endpoint;
	int master;

	if (name_interface(attachment, network, wish->interface_name, &interface, err) < 0 ||
	    add_link_locals(&extra, wish->link_local_ips, err) < 0)
		return -err->code;
	master = link_index(store->route_fd, network->bridge);
	if (master < 0)
		return error_code(err, master, "its interface %s is not there", network->bridge);
	if (store_leases(store, network->name, &leases, err) < 0 ||
	    ipam_lease(leases, &network->pool4, &network->pool6, wish, &lease, err) < 0)
		return -err->code;
	extra.master = master;
	extra.mtu = network->mtu;
	extra.isolated = !network->icc;
	extra.hairpin = bridges_redirect();
	extra.routed = network->address_on_bridge;
	extra.kind = network->link_kind;
	extra.mode = network->link_mode;
	extra.flags = network->link_flags;
	extra.device_route = network->device_route;
	attachment->extras =
		alloc_grow(attachment->extras, attachment->count, sizeof(*attachment->extras));
	attachment->extras[attachment->count] = extra;
	endpoint = array_add(attachment->endpoints, attachment->count);
	endpoint->interface_name = TAKE_PTR(interface);
	fill_endpoint(endpoint, network, lease);
	return 0;
}

static int add_one(struct network_store *store, struct attachment *attachment,
		   const struct endpoint_options *wish, struct error *err)
{
	_cleanup_network_ struct network *network = NULL;

	if (attachment->count == ENDPOINTS_MAX)
		return error_set(err, E2BIG, "a container is on %d networks at most",
				 ENDPOINTS_MAX);
	for (size_t i = 0; i < attachment->count; i++)
		if (str_equal(attachment->endpoints[i].network, wish->network))
			return error_set(err, EEXIST, "network %s: attached to it already",
					 wish->network);
	if (store_load(store, wish->network, &network, err) < 0)
		return -err->code;
	if (!network->driver->addresses) {
		if (str_equal(network->driver->name, "none"))
			return 0;
		return error_set(
			err, EINVAL,
			"network %s: a container is not attached to the host's network, it "
			"has it: network_mode: host",
			wish->network);
	}
	if (add_endpoint(store, attachment, network, wish, err) < 0)
		return error_wrap(err, "network %s", wish->network);
	return 0;
}

static int compare_wishes(const void *a, const void *b)
{
	const struct endpoint_options *x = *(const struct endpoint_options *const *)a;
	const struct endpoint_options *y = *(const struct endpoint_options *const *)b;

	if (x->priority != y->priority)
		return x->priority > y->priority ? -1 : 1;
	return strcmp(x->network, y->network);
}

/* In the order of connecting: by priority, then by name. */
static int add_all(struct network_store *store, struct attachment *attachment,
		   const struct endpoint_options *endpoints, size_t count, struct error *err)
{
	const struct endpoint_options **sorted =
		new_array(const struct endpoint_options *, count + 1);
	int r = 0;

	for (size_t i = 0; i < count; i++)
		sorted[i] = &endpoints[i];
	qsort(sorted, count, sizeof(*sorted), compare_wishes);
	for (size_t i = 0; i < count && r >= 0; i++)
		r = add_one(store, attachment, sorted[i], err);
	free(sorted);
	return r;
}

/* Writes the leases of networks that the endpoints from @from on touch. */
static int write_leases(struct network_store *store, const struct attachment *attachment,
			size_t from, struct error *err)
{
	for (size_t i = from; i < attachment->count; i++)
		if (store_leases_write(store, attachment->endpoints[i].network, err) < 0)
			return -err->code;
	return 0;
}

/* Takes back, in memory and on disk, what a failed attempt leased. */
static void undo_leases(struct network_store *store, const struct attachment *attachment,
			size_t from)
{
	for (size_t i = from; i < attachment->count; i++) {
		const char *network = attachment->endpoints[i].network;
		struct error err = ERROR_INIT;
		struct ipam_leases *leases;

		if (store_leases(store, network, &leases, &err) < 0)
			continue;
		if (ipam_release(leases, attachment->container) &&
		    store_leases_write(store, network, &err) < 0)
			log_warning("%s", err.message);
	}
}

int attachment_prepare(struct network_store *store, const struct endpoint_options *endpoints,
		       size_t count, bool dns, struct attachment **ret, struct error *err)
{
	_cleanup_attachment_ struct attachment *attachment = NULL;
	_cleanup_close_ int lock = -EBADF;
	int r;

	for (size_t i = 0; i < count; i++)
		if (check_container(endpoints[i].container_id, err) < 0)
			return -err->code;
	attachment = attachment_new(count ? endpoints[0].container_id : "", dns);
	if (count) {
		lock = network_store_lock(store, err);
		if (lock < 0)
			return lock;
	}
	r = add_all(store, attachment, endpoints, count, err);
	if (r >= 0)
		r = write_leases(store, attachment, 0, err);
	if (r >= 0)
		r = attachment_build(attachment, 0, err);
	if (r < 0) {
		undo_leases(store, attachment, 0);
		return r;
	}
	*ret = TAKE_PTR(attachment);
	return 0;
}

static json_t *endpoint_to_json(const struct endpoint *endpoint, const struct endpoint_extra *extra)
{
	json_t *object = json_object();
	char text[INET6_ADDRSTRLEN];
	const uint8_t *m = endpoint->mac;
	_cleanup_free_ char *mac =
		str_printf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);

	json_put_string(object, "network", endpoint->network);
	json_put_string(object, "interface", endpoint->interface_name);
	json_put_string(object, "host_interface", endpoint->host_interface);
	json_put_string(object, "mac", mac);
	json_put_bool(object, "internal", endpoint->internal);
	json_put_bool(object, "routed", extra->routed);
	json_put_int(object, "gw_priority", extra->gw_priority);
	if (extra->device_route)
		json_put_bool(object, "device_route", true);
	json_put_string(object, "kind", extra->kind);
	if (endpoint->has_ipv4) {
		json_put_string(object, "ipv4",
				inet_ntop(AF_INET, &endpoint->ipv4, text, sizeof(text)));
		json_put_int(object, "prefix4", endpoint->prefix4);
		json_put_string(object, "gateway4",
				inet_ntop(AF_INET, &endpoint->gateway4, text, sizeof(text)));
	}
	if (endpoint->has_ipv6) {
		json_put_string(object, "ipv6",
				inet_ntop(AF_INET6, &endpoint->ipv6, text, sizeof(text)));
		json_put_int(object, "prefix6", endpoint->prefix6);
		json_put_string(object, "gateway6",
				inet_ntop(AF_INET6, &endpoint->gateway6, text, sizeof(text)));
	}
	return object;
}

json_t *attachment_to_json(const struct attachment *attachment)
{
	json_t *json = json_object(), *list = json_array();

	json_put_string(json, "container", attachment->container);
	json_put_bool(json, "dns", attachment->redirect);
	for (size_t i = 0; i < attachment->count; i++)
		json_array_append_new(
			list, endpoint_to_json(&attachment->endpoints[i], &attachment->extras[i]));
	json_object_set_new(json, "endpoints", list);
	return json;
}

static bool read_address(const json_t *json, const char *key, int family, void *ret)
{
	const char *text = json_get_string(json, key);

	return text && inet_pton(family, text, ret) == 1;
}

static int endpoint_from_json(const json_t *json, struct attachment *attachment, struct error *err)
{
	const char *network = json_get_string(json, "network");
	const char *interface = json_get_string(json, "interface");
	const char *host = json_get_string(json, "host_interface");
	const char *mac = json_get_string(json, "mac");
	struct endpoint *endpoint;
	uint8_t *m;

	if (!network || !interface || !host || strlen(host) > 15 || strlen(interface) > 15 ||
	    attachment->count == ENDPOINTS_MAX)
		return error_set(err, EBADMSG, "attachment record: an endpoint is incomplete");
	attachment->extras =
		alloc_grow(attachment->extras, attachment->count, sizeof(*attachment->extras));
	attachment->extras[attachment->count] = (struct endpoint_extra){
		.gw_priority = json_get_int(json, "gw_priority", 0),
		.routed = json_get_bool(json, "routed", true),
		.device_route = json_get_bool(json, "device_route", false),
		.kind = json_get_string(json, "kind") ? "child" : NULL,
	};
	endpoint = array_add(attachment->endpoints, attachment->count);
	endpoint->network = alloc_string(network);
	endpoint->interface_name = alloc_string(interface);
	endpoint->host_interface = alloc_string(host);
	endpoint->internal = json_get_bool(json, "internal", false);
	m = endpoint->mac;
	if (mac)
		(void)sscanf(mac, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &m[0], &m[1], &m[2], &m[3],
			     &m[4], &m[5]);
	endpoint->has_ipv4 = read_address(json, "ipv4", AF_INET, &endpoint->ipv4);
	endpoint->has_ipv6 = read_address(json, "ipv6", AF_INET6, &endpoint->ipv6);
	(void)read_address(json, "gateway4", AF_INET, &endpoint->gateway4);
	(void)read_address(json, "gateway6", AF_INET6, &endpoint->gateway6);
	endpoint->prefix4 = json_get_int(json, "prefix4", 0);
	endpoint->prefix6 = json_get_int(json, "prefix6", 0);
	return 0;
}

int attachment_from_json(struct network_store *store, const json_t *json, struct attachment **ret,
			 struct error *err)
{
	_cleanup_attachment_ struct attachment *attachment = NULL;
	const char *container = json_get_string(json, "container");
	size_t i;
	json_t *item;

	attachment = attachment_new(container ? container : "", json_get_bool(json, "dns", false));
	json_array_foreach(json_object_get(json, "endpoints"), i, item)
		if (endpoint_from_json(item, attachment, err) < 0)
			return -err->code;
	if (attachment->count && check_container(container, err) < 0)
		return -err->code;
	*ret = TAKE_PTR(attachment);
	return 0;
}

/* Opens rtnetlink inside @netns_fd by going there and back. */
static int open_inside(int netns_fd, struct error *err)
{
	_cleanup_close_ int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int fd;

	if (home < 0)
		return error_errno(err, "open the host's network namespace");
	if (setns(netns_fd, CLONE_NEWNET) < 0)
		return error_errno(err, "enter the container's network namespace");
	fd = netlink_open(NETLINK_ROUTE, err);
	/* Going on in the wrong namespace would be worse than dying. */
	if (setns(home, CLONE_NEWNET) < 0)
		abort();
	return fd;
}

int attachment_connect(struct network_store *store, struct attachment *attachment, int netns_fd,
		       const struct endpoint_options *endpoint, struct error *err)
{
	_cleanup_close_ int inside = -EBADF, lock = -EBADF;
	struct endpoint_options wish = *endpoint;
	size_t from = attachment->count;
	int r;

	if (!attachment->container[0] && check_container(endpoint->container_id, err) >= 0) {
		free(attachment->container);
		attachment->container = alloc_string(endpoint->container_id);
	}
	wish.container_id = attachment->container;
	if (err->code)
		return -err->code;
	inside = open_inside(netns_fd, err);
	if (inside < 0)
		return inside;
	lock = network_store_lock(store, err);
	if (lock < 0)
		return lock;
	r = add_one(store, attachment, &wish, err);
	if (r < 0 || attachment->count == from)
		return r;
	r = write_leases(store, attachment, from, err);
	if (r >= 0)
		r = attachment_build(attachment, from, err);
	if (r >= 0)
		r = attachment_send(attachment, inside, netns_fd, err);
	attachment_settle(attachment);
	if (r < 0) {
		const char *name = attachment->endpoints[from].host_interface;
		struct error ignored = ERROR_INIT;

		(void)link_delete_many(store->route_fd, &name, 1, &ignored);
		undo_leases(store, attachment, from);
		attachment_drop_endpoint(attachment, from);
	}
	return r;
}

static bool is_lost(const struct network_store *store, const struct attachment *attachment,
		    size_t i)
{
	return !attachment->extras[i].kind &&
	       link_index(store->route_fd, attachment->endpoints[i].host_interface) < 0;
}

/* Connected as for the first time: its lease, and with that its addresses, are found by its id. */
static int reconnect_one(struct network_store *store, struct attachment *attachment, size_t i,
			 int netns_fd, struct error *err)
{
	const struct endpoint *endpoint = &attachment->endpoints[i];
	_cleanup_free_ char *network = alloc_string(endpoint->network);
	_cleanup_free_ char *interface = alloc_string(endpoint->interface_name);
	const uint8_t *m = endpoint->mac;
	_cleanup_free_ char *mac =
		str_printf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
	const struct endpoint_options wish = {
		.network = network,
		.container_id = attachment->container,
		.interface_name = interface,
		.mac_address = mac,
		.gw_priority = attachment->extras[i].gw_priority,
	};

	attachment_drop_endpoint(attachment, i);
	return attachment_connect(store, attachment, netns_fd, &wish, err);
}

int attachment_reconnect(struct network_store *store, struct attachment *attachment, int pidfd,
			 struct error *err)
{
	_cleanup_free_ char *path = str_printf("/proc/%d/ns/net", process_pidfd_pid(pidfd));
	_cleanup_close_ int netns = -EBADF;
	size_t left = attachment->count, i = 0;
	bool lost = false;

	while (left-- > 0) {
		if (!is_lost(store, attachment, i)) {
			i++;
			continue;
		}
		if (netns < 0)
			netns = open(path, O_RDONLY | O_CLOEXEC);
		if (netns < 0)
			return error_errno(err, "open the container's network namespace");
		/* It comes back as the last one. */
		if (reconnect_one(store, attachment, i, netns, err) < 0)
			return -err->code;
		lost = true;
	}
	return lost;
}

/* The default route may have gone with the interface: another network gives it now. */
static int send_routes(struct attachment *attachment, int inside, int netns_fd, struct error *err)
{
	int r = attachment_build(attachment, attachment->count, err);

	if (r >= 0)
		r = attachment_send(attachment, inside, netns_fd, err);
	attachment_settle(attachment);
	return r;
}

int attachment_disconnect(struct network_store *store, struct attachment *attachment, int netns_fd,
			  const char *network, struct error *err)
{
	_cleanup_close_ int inside = -EBADF, lock = -EBADF;
	struct ipam_leases *leases;
	const char *name;
	size_t i = 0;

	while (i < attachment->count && !str_equal(attachment->endpoints[i].network, network))
		i++;
	if (i == attachment->count)
		return error_set(err, ENOENT, "network %s: the container is not on it", network);
	inside = open_inside(netns_fd, err);
	if (inside < 0)
		return inside;
	name = attachment->endpoints[i].host_interface;
	/* A child has no other end on the host. */
	if (attachment->extras[i].kind)
		name = attachment->endpoints[i].interface_name;
	if (link_delete_many(attachment->extras[i].kind ? inside : store->route_fd, &name, 1, err) <
	    0)
		return error_wrap(err, "network %s", network);
	lock = network_store_lock(store, err);
	if (lock < 0 || store_leases(store, network, &leases, err) < 0)
		return -err->code;
	if (ipam_release(leases, attachment->container) &&
	    store_leases_write(store, network, err) < 0)
		return -err->code;
	attachment_drop_endpoint(attachment, i);
	return send_routes(attachment, inside, netns_fd, err);
}
