// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/netlink/route.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>

#include "common/alloc.h"

#include "netmgr/netlink/batch.h"

struct taken_list {
	struct taken_subnet *items;
	size_t count;
};

static void add_taken(struct taken_list *list, int family, const struct nlattr *address,
		      unsigned int prefix, unsigned int interface)
{
	struct taken_subnet *taken;
	struct ipaddr ip;

	if (family != AF_INET && family != AF_INET6)
		return;
	if (netlink_attr_size(address) < ip_bits(family) / 8 || prefix > ip_bits(family))
		return;
	ip = ip_from_bytes(family, netlink_attr_data(address));
	taken = array_add(list->items, list->count);
	taken->subnet = subnet_of(&ip, prefix);
	taken->interface = interface;
}

static int collect_route(const struct nlmsghdr *message, void *data)
{
	const struct rtmsg *route = NLMSG_DATA(message);
	const struct nlattr *table[RTA_MAX + 1];

	if (message->nlmsg_type != RTM_NEWROUTE || !route->rtm_dst_len ||
	    route->rtm_type == RTN_MULTICAST)
		return 0;
	netlink_parse(RTM_RTA(route), NLMSG_PAYLOAD(message, sizeof(*route)), table, RTA_MAX);
	if (table[RTA_DST])
		add_taken(data, route->rtm_family, table[RTA_DST], route->rtm_dst_len,
			  netlink_attr_u32(table[RTA_OIF]));
	return 0;
}

static int collect_address(const struct nlmsghdr *message, void *data)
{
	const struct ifaddrmsg *address = NLMSG_DATA(message);
	const struct nlattr *table[IFA_MAX + 1];

	if (message->nlmsg_type != RTM_NEWADDR)
		return 0;
	netlink_parse(IFA_RTA(address), NLMSG_PAYLOAD(message, sizeof(*address)), table, IFA_MAX);
	if (table[IFA_ADDRESS])
		add_taken(data, address->ifa_family, table[IFA_ADDRESS], address->ifa_prefixlen,
			  address->ifa_index);
	return 0;
}

int route_list_taken(int fd, struct taken_subnet **ret, size_t *ret_count, struct error *err)
{
	struct taken_list list = {0};
	struct batch routes = {0}, addresses = {0};
	struct rtmsg route = {.rtm_family = AF_UNSPEC};
	struct ifaddrmsg address = {.ifa_family = AF_UNSPEC};
	int r;

	batch_message(&routes, RTM_GETROUTE, 0, &route, sizeof(route));
	batch_message(&addresses, RTM_GETADDR, 0, &address, sizeof(address));
	r = netlink_dump(fd, &routes, collect_route, &list, err);
	if (r >= 0)
		r = netlink_dump(fd, &addresses, collect_address, &list, err);
	batch_done(&routes);
	batch_done(&addresses);
	if (r < 0) {
		free(list.items);
		return error_wrap(err, "list the host's routes");
	}
	*ret = list.items;
	*ret_count = list.count;
	return 0;
}
