// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/attachment.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "netmgr/netlink/link.h"

void endpoint_done(struct endpoint *endpoint)
{
	free(endpoint->network);
	free(endpoint->interface_name);
	free(endpoint->host_interface);
}

void attachment_settle(struct attachment *attachment)
{
	cleanup_close_fd(&attachment->host_fd);
	attachment->host_fd = -EBADF;
	batch_done(&attachment->host);
	batch_done(&attachment->inside);
	batch_done(&attachment->last);
	free(attachment->patches);
	attachment->patches = NULL;
	attachment->patch_count = 0;
}

void attachment_free(struct attachment *attachment)
{
	if (!attachment)
		return;
	attachment_settle(attachment);
	for (size_t i = 0; i < attachment->count; i++)
		endpoint_done(&attachment->endpoints[i]);
	free(attachment->endpoints);
	free(attachment->extras);
	free(attachment->container);
	free(attachment);
}

const struct endpoint *attachment_endpoints(const struct attachment *attachment, size_t *ret_count)
{
	*ret_count = attachment->count;
	return attachment->endpoints;
}

static void patch_later(struct attachment *attachment, enum attachment_patch_kind kind,
			size_t endpoint, size_t at)
{
	struct attachment_patch *patch = array_add(attachment->patches, attachment->patch_count);

	patch->kind = kind;
	patch->endpoint = endpoint;
	patch->at = at;
}

static bool ipv6_is_there(void)
{
	static int known = -1;

	if (known < 0)
		known = access("/proc/net/if_inet6", F_OK) == 0;
	return known;
}

static void put_child(struct attachment *attachment, size_t i)
{
	const struct endpoint *endpoint = &attachment->endpoints[i];
	const struct endpoint_extra *extra = &attachment->extras[i];
	const struct link_child child = {
		.kind = extra->kind,
		.name = endpoint->interface_name,
		.parent = extra->master,
		.netns_fd = -1,
		.mtu = extra->mtu,
		.mac = endpoint->mac,
		.mode = extra->mode,
		.flags = extra->flags,
	};

	patch_later(attachment, PATCH_NETNS, i, link_add_child(&attachment->host, &child));
}

static void put_veth(struct attachment *attachment, size_t i)
{
	const struct endpoint *endpoint = &attachment->endpoints[i];
	const struct endpoint_extra *extra = &attachment->extras[i];
	struct link_veth veth = {
		.name = endpoint->host_interface,
		.peer_name = endpoint->interface_name,
		.netns_fd = -1,
		.master = extra->master,
		.mtu = extra->mtu,
		.mac = endpoint->mac,
	};

	patch_later(attachment, PATCH_NETNS, i, link_add_veth(&attachment->host, &veth));
	/* A bridge's port needs no address; a container without IPv6 is not to shout for
	 * neighbours, to be heard by all the others. */
	if (ipv6_is_there())
		link_without_ipv6(&attachment->host, endpoint->host_interface, 0);
	link_set_up_by_name(&attachment->host, endpoint->host_interface);
	if (extra->isolated || extra->hairpin)
		link_set_port(&attachment->host, endpoint->host_interface, extra->isolated,
			      extra->hairpin);
}

/* The index of a message's interface is known in the child only. */
static void put_inside_address(struct attachment *attachment, size_t i, const struct ipaddr *ip,
			       unsigned int prefix)
{
	struct batch *batch = &attachment->inside;

	link_add_address(batch, 0, ip, prefix);
	patch_later(attachment, PATCH_INDEX, i,
		    batch->message + NLMSG_HDRLEN + offsetof(struct ifaddrmsg, ifa_index));
}

static void put_inside_route(struct attachment *attachment, size_t i, const struct ipaddr *gateway)
{
	struct batch *batch = &attachment->inside;

	link_add_default_route(batch, 0, gateway, attachment->extras[i].device_route);
	/* RTA_OIF is the last attribute. */
	patch_later(attachment, PATCH_INDEX, i, batch->size - sizeof(uint32_t));
}

/* Of those that lead out, the one with the highest gw_priority; then by the network's name. */
static const struct endpoint *default_endpoint(const struct attachment *attachment, int family)
{
	const struct endpoint *best = NULL;
	int best_priority = 0;

	for (size_t i = 0; i < attachment->count; i++) {
		const struct endpoint *e = &attachment->endpoints[i];
		int priority = attachment->extras[i].gw_priority;

		if (e->internal || !attachment->extras[i].routed ||
		    !(family == AF_INET ? e->has_ipv4 : e->has_ipv6))
			continue;
		if (best && (priority < best_priority ||
			     (priority == best_priority && strcmp(e->network, best->network) > 0)))
			continue;
		best = e;
		best_priority = priority;
	}
	return best;
}

static void put_inside(struct attachment *attachment, size_t i)
{
	const struct endpoint *endpoint = &attachment->endpoints[i];
	const struct endpoint_extra *extra = &attachment->extras[i];
	struct ipaddr ip4 = ip_of4(endpoint->ipv4), ip6 = ip_of6(endpoint->ipv6);

	if (!endpoint->has_ipv6 && ipv6_is_there()) {
		link_without_ipv6(&attachment->inside, NULL, 0);
		patch_later(attachment, PATCH_INDEX, i,
			    attachment->inside.message + NLMSG_HDRLEN +
				    offsetof(struct ifinfomsg, ifi_index));
	}
	link_set_up(&attachment->inside, 0);
	patch_later(attachment, PATCH_INDEX, i,
		    attachment->inside.message + NLMSG_HDRLEN +
			    offsetof(struct ifinfomsg, ifi_index));
	if (endpoint->has_ipv4)
		put_inside_address(attachment, i, &ip4, endpoint->prefix4);
	if (endpoint->has_ipv6)
		put_inside_address(attachment, i, &ip6, endpoint->prefix6);
	for (size_t j = 0; j < extra->link_local_count; j++)
		put_inside_address(attachment, i, &extra->link_local[j],
				   extra->link_local[j].family == AF_INET ? 16 : 64);
}

static void put_default_routes(struct attachment *attachment)
{
	const struct endpoint *by4 = default_endpoint(attachment, AF_INET);
	const struct endpoint *by6 = default_endpoint(attachment, AF_INET6);

	if (by4) {
		struct ipaddr gateway = ip_of4(by4->gateway4);

		put_inside_route(attachment, by4 - attachment->endpoints, &gateway);
	}
	if (by6) {
		struct ipaddr gateway = ip_of6(by6->gateway6);

		put_inside_route(attachment, by6 - attachment->endpoints, &gateway);
	}
}

int attachment_build(struct attachment *attachment, size_t from, struct error *err)
{
	attachment_settle(attachment);
	for (size_t i = from; i < attachment->count; i++)
		if (attachment->extras[i].kind)
			put_child(attachment, i);
		else
			put_veth(attachment, i);
	link_set_up(&attachment->inside, 1); /* lo is always the first */
	for (size_t i = from; i < attachment->count; i++)
		put_inside(attachment, i);
	put_default_routes(attachment);
	/* A port that works may be its bridge's first: then the bridge comes to life, too. */
	for (size_t i = from; i < attachment->count; i++) {
		if (attachment->extras[i].kind)
			continue;
		link_settle(&attachment->last, attachment->endpoints[i].host_interface, 0);
		link_settle(&attachment->last, NULL, attachment->extras[i].master);
	}
	if (attachment->host.size > ATTACHMENT_MESSAGES_MAX ||
	    attachment->inside.size > ATTACHMENT_MESSAGES_MAX)
		return error_set(err, E2BIG, "container %.12s: it is on too many networks",
				 attachment->container);
	if (!attachment->host.count)
		return 0;
	/* In the host's namespace, which the socket keeps when a child takes it elsewhere. */
	attachment->host_fd = netlink_open(NETLINK_ROUTE, err);
	return attachment->host_fd < 0 ? attachment->host_fd : 0;
}

void attachment_drop_endpoint(struct attachment *attachment, size_t i)
{
	size_t after = attachment->count - i - 1;

	endpoint_done(&attachment->endpoints[i]);
	memmove(&attachment->endpoints[i], &attachment->endpoints[i + 1],
		after * sizeof(*attachment->endpoints));
	memmove(&attachment->extras[i], &attachment->extras[i + 1],
		after * sizeof(*attachment->extras));
	attachment->count--;
}

static int send_copy(const struct attachment *attachment, const struct batch *batch, int fd,
		     bool host, int netns_fd, struct error *err)
{
	_Alignas(8) uint8_t copy[ATTACHMENT_MESSAGES_MAX];
	int indexes[ENDPOINTS_MAX] = {0};

	if (!batch->count)
		return 0;
	memcpy(copy, batch->data, batch->size);
	for (size_t i = 0; i < attachment->patch_count; i++) {
		const struct attachment_patch *patch = &attachment->patches[i];
		const char *name = attachment->endpoints[patch->endpoint].interface_name;
		int value = netns_fd;

		if ((patch->kind == PATCH_NETNS) != host)
			continue;
		if (!host) {
			if (!indexes[patch->endpoint])
				indexes[patch->endpoint] = link_index(fd, name);
			value = indexes[patch->endpoint];
			if (value < 0)
				return error_code(err, value, "interface %s", name);
		}
		memcpy(copy + patch->at, &value, sizeof(value));
	}
	return netlink_transact(fd, copy, batch->size, batch->count, 0, err);
}

static int send_last(const struct attachment *attachment, struct error *err)
{
	const struct batch *batch = &attachment->last;
	_Alignas(8) uint8_t copy[ATTACHMENT_MESSAGES_MAX];

	if (!batch->count)
		return 0;
	memcpy(copy, batch->data, batch->size);
	return netlink_transact(attachment->host_fd, copy, batch->size, batch->count, ENODEV, err);
}

int attachment_send(const struct attachment *attachment, int inside_fd, int netns_fd,
		    struct error *err)
{
	if (send_copy(attachment, &attachment->host, attachment->host_fd, true, netns_fd, err) < 0)
		return error_wrap(err, "connect to its networks");
	if (send_copy(attachment, &attachment->inside, inside_fd, false, -1, err) < 0)
		return error_wrap(err, "set addresses and routes");
	return send_last(attachment, err);
}

/* Between clone3 and execve: system calls only. */
int attachment_hook(const void *data, int *ret_fds, size_t *ret_count, struct error *err)
{
	const struct attachment *attachment = data;
	_cleanup_close_ int inside = -EBADF, netns = -EBADF;
	int r;

	*ret_count = 0;
	inside = netlink_open(NETLINK_ROUTE, err);
	if (inside < 0)
		return inside;
	/* The namespace itself, by the socket: /proc may be nobody's here. */
	netns = ioctl(inside, SIOCGSKNS);
	if (netns < 0)
		return error_errno(err, "open the container's network namespace");
	r = attachment_send(attachment, inside, netns, err);
	if (r < 0 || !attachment->redirect)
		return r;
	r = redirect_listen(attachment->redirect, ret_fds, err);
	if (r >= 0)
		*ret_count = 2;
	return r;
}

int attachment_dns_again(const struct attachment *attachment, int netns_fd, int ret_fds[2],
			 struct error *err)
{
	int r = attachment->redirect ? redirect_renew(netns_fd, ret_fds, err) : 0;

	return r < 0 ? r : attachment->redirect != NULL;
}
