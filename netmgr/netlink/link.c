// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/netlink/link.h"

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "netmgr/ip.h"

static void link_message(struct batch *batch, uint16_t type, uint16_t flags, unsigned int index,
			 const char *name, unsigned int up)
{
	struct ifinfomsg info = {.ifi_index = index, .ifi_flags = up, .ifi_change = up};

	batch_message(batch, type, flags, &info, sizeof(info));
	if (name)
		batch_attr_string(batch, IFLA_IFNAME, name);
}

/* Inside IFLA_INFO_DATA. The peer cannot be up yet: veth_open() wants both ends to be there. */
static size_t put_peer(struct batch *batch, const struct link_veth *veth)
{
	struct ifinfomsg info = {0};
	size_t peer = batch_nest(batch, VETH_INFO_PEER), fd_at;

	batch_put(batch, &info, sizeof(info));
	batch_attr_string(batch, IFLA_IFNAME, veth->peer_name);
	if (veth->mtu)
		batch_attr_u32(batch, IFLA_MTU, veth->mtu);
	if (veth->mac)
		batch_attr(batch, IFLA_ADDRESS, veth->mac, 6);
	fd_at = batch->size + NLA_HDRLEN;
	batch_attr_u32(batch, IFLA_NET_NS_FD, veth->netns_fd);
	batch_nest_end(batch, peer);
	return fd_at;
}

size_t link_add_veth(struct batch *batch, const struct link_veth *veth)
{
	size_t info, data, fd_at;

	link_message(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, veth->name, 0);
	if (veth->mtu)
		batch_attr_u32(batch, IFLA_MTU, veth->mtu);
	if (veth->master)
		batch_attr_u32(batch, IFLA_MASTER, veth->master);
	info = batch_nest(batch, IFLA_LINKINFO);
	batch_attr_string(batch, IFLA_INFO_KIND, "veth");
	data = batch_nest(batch, IFLA_INFO_DATA);
	fd_at = put_peer(batch, veth);
	batch_nest_end(batch, data);
	batch_nest_end(batch, info);
	return fd_at;
}

size_t link_add_child(struct batch *batch, const struct link_child *child)
{
	bool ipvlan = str_equal(child->kind, "ipvlan");
	size_t info, data, fd_at;

	link_message(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, child->name, 0);
	batch_attr_u32(batch, IFLA_LINK, child->parent);
	fd_at = batch->size + NLA_HDRLEN;
	batch_attr_u32(batch, IFLA_NET_NS_FD, child->netns_fd);
	if (child->mtu)
		batch_attr_u32(batch, IFLA_MTU, child->mtu);
	if (!ipvlan)
		batch_attr(batch, IFLA_ADDRESS, child->mac, 6);
	info = batch_nest(batch, IFLA_LINKINFO);
	batch_attr_string(batch, IFLA_INFO_KIND, child->kind);
	data = batch_nest(batch, IFLA_INFO_DATA);
	if (ipvlan) {
		batch_attr_u16(batch, IFLA_IPVLAN_MODE, (uint16_t)child->mode);
		batch_attr_u16(batch, IFLA_IPVLAN_FLAGS, (uint16_t)child->flags);
	} else {
		batch_attr_u32(batch, IFLA_MACVLAN_MODE, child->mode);
	}
	batch_nest_end(batch, data);
	batch_nest_end(batch, info);
	return fd_at;
}

void link_add_vlan(struct batch *batch, const char *name, unsigned int parent, uint16_t id)
{
	size_t info, data;

	link_message(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, name, 0);
	batch_attr_u32(batch, IFLA_LINK, parent);
	info = batch_nest(batch, IFLA_LINKINFO);
	batch_attr_string(batch, IFLA_INFO_KIND, "vlan");
	data = batch_nest(batch, IFLA_INFO_DATA);
	batch_attr_u16(batch, IFLA_VLAN_ID, id);
	batch_nest_end(batch, data);
	batch_nest_end(batch, info);
}

void link_add_bridge(struct batch *batch, const char *name, const uint8_t mac[6], unsigned int mtu)
{
	size_t info;

	link_message(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, name, 0);
	batch_attr(batch, IFLA_ADDRESS, mac, 6);
	if (mtu)
		batch_attr_u32(batch, IFLA_MTU, mtu);
	info = batch_nest(batch, IFLA_LINKINFO);
	batch_attr_string(batch, IFLA_INFO_KIND, "bridge");
	batch_nest_end(batch, info);
}

void link_set_up(struct batch *batch, unsigned int index)
{
	link_message(batch, RTM_NEWLINK, 0, index, NULL, IFF_UP);
}

void link_set_up_by_name(struct batch *batch, const char *name)
{
	link_message(batch, RTM_NEWLINK, 0, 0, name, IFF_UP);
}

void link_without_ipv6(struct batch *batch, const char *name, unsigned int index)
{
	size_t families, family;

	link_message(batch, RTM_NEWLINK, 0, index, name, 0);
	families = batch_nest(batch, IFLA_AF_SPEC);
	family = batch_nest(batch, AF_INET6);
	batch_attr_u8(batch, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	batch_nest_end(batch, family);
	batch_nest_end(batch, families);
}

void link_set_port(struct batch *batch, const char *name, bool isolated, bool hairpin)
{
	size_t info, data;

	link_message(batch, RTM_NEWLINK, 0, 0, name, 0);
	info = batch_nest(batch, IFLA_LINKINFO);
	batch_attr_string(batch, IFLA_INFO_SLAVE_KIND, "bridge");
	data = batch_nest(batch, IFLA_INFO_SLAVE_DATA);
	batch_attr_u8(batch, IFLA_BRPORT_ISOLATED, isolated);
	batch_attr_u8(batch, IFLA_BRPORT_MODE, hairpin);
	batch_nest_end(batch, data);
	batch_nest_end(batch, info);
}

/*
 * A link whose carrier came on drops what is sent through it until the kernel's link watch has
 * run, which may be late, and a lost first packet costs its sender a second. rtnl_getlink() has
 * that work done before it answers (Linux 6.5).
 */
void link_settle(struct batch *batch, const char *name, unsigned int index)
{
	link_message(batch, RTM_GETLINK, 0, index, name, 0);
	batch_attr_u32(batch, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
}

void link_set_group(struct batch *batch, const char *name, uint32_t group)
{
	link_message(batch, RTM_NEWLINK, 0, 0, name, 0);
	batch_attr_u32(batch, IFLA_GROUP, group);
}

void link_delete_group(struct batch *batch, uint32_t group)
{
	link_message(batch, RTM_DELLINK, 0, 0, NULL, 0);
	batch_attr_u32(batch, IFLA_GROUP, group);
}

void link_add_address(struct batch *batch, unsigned int index, const struct ipaddr *ip,
		      unsigned int prefix)
{
	struct ifaddrmsg address = {
		.ifa_family = ip->family, .ifa_prefixlen = prefix, .ifa_index = index};
	size_t size = ip_bits(ip->family) / 8;

	/* Nobody else has it, so nobody need be asked: an IPv6 address is usable at once. */
	if (ip->family == AF_INET6)
		address.ifa_flags = IFA_F_NODAD;
	batch_message(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &address, sizeof(address));
	batch_attr(batch, IFA_LOCAL, ip->bytes, size);
	batch_attr(batch, IFA_ADDRESS, ip->bytes, size);
	if (ip->family == AF_INET && prefix < 31) {
		struct subnet subnet = subnet_of(ip, prefix);
		struct ipaddr broadcast = subnet_last(&subnet);

		batch_attr(batch, IFA_BROADCAST, broadcast.bytes, size);
	}
}

void link_add_default_route(struct batch *batch, unsigned int index, const struct ipaddr *gateway,
			    bool direct)
{
	struct rtmsg route = {
		.rtm_family = gateway->family,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_BOOT,
		.rtm_scope = direct ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};

	batch_message(batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &route, sizeof(route));
	if (!direct)
		batch_attr(batch, RTA_GATEWAY, gateway->bytes, ip_bits(gateway->family) / 8);
	batch_attr_u32(batch, RTA_OIF, index);
}

/*
 * Deleting one link costs the kernel a grace period (some 19 ms), deleting a group costs one for
 * all: so the links are put into a group that nobody has, and that is deleted.
 */
int link_delete_many(int fd, const char *const *names, size_t count, struct error *err)
{
	struct batch batch = {0};
	uint32_t group;
	int r;

	if (!count)
		return 0;
	if (getrandom(&group, sizeof(group), 0) != sizeof(group))
		return error_errno(err, "random bytes");
	group |= 1u << 30;
	for (size_t i = 0; i < count; i++)
		link_set_group(&batch, names[i], group);
	link_delete_group(&batch, group);
	r = batch_send(&batch, fd, ENODEV, err);
	batch_done(&batch);
	return r;
}

int link_index(int fd, const char *name)
{
	struct ifreq request = {0};

	if (strlen(name) >= sizeof(request.ifr_name))
		return -ENODEV;
	strcpy(request.ifr_name, name);
	return ioctl(fd, SIOCGIFINDEX, &request) < 0 ? -errno : request.ifr_ifindex;
}

struct port_search {
	unsigned int master;
	char **names;
};

static int collect_port(const struct nlmsghdr *message, void *data)
{
	const struct ifinfomsg *info = NLMSG_DATA(message);
	const struct nlattr *table[IFLA_MASTER + 1];
	struct port_search *search = data;

	if (message->nlmsg_type != RTM_NEWLINK)
		return 0;
	netlink_parse((const uint8_t *)info + NLMSG_ALIGN(sizeof(*info)),
		      NLMSG_PAYLOAD(message, sizeof(*info)), table, IFLA_MASTER);
	if (table[IFLA_IFNAME] && netlink_attr_u32(table[IFLA_MASTER]) == search->master)
		strv_append(&search->names, netlink_attr_data(table[IFLA_IFNAME]));
	return 0;
}

int link_ports(int fd, unsigned int master, char ***ret_names, struct error *err)
{
	struct port_search search = {.master = master};
	struct batch batch = {0};
	int r;

	link_message(&batch, RTM_GETLINK, 0, 0, NULL, 0);
	r = netlink_dump(fd, &batch, collect_port, &search, err);
	batch_done(&batch);
	if (r < 0)
		strv_free(search.names);
	else
		*ret_names = search.names;
	return r;
}
