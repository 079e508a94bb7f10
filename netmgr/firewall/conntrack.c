// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/firewall/conntrack.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "common/cleanup.h"

#include "netmgr/ip.h"
#include "netmgr/netlink/batch.h"

/* Of CTA_FILTER_ORIG_FLAGS (Linux 5.8); the kernel keeps their names to itself. */
#define FILTER_PROTO_NUM      (1 << 3)
#define FILTER_PROTO_DST_PORT (1 << 5)

struct end {
	struct ipaddr source, destination;
	uint8_t protocol;
	uint16_t source_port, destination_port;
};

struct search {
	const struct publish *port;
	struct ipaddr container; /* of the family being searched */
	struct batch forget;
};

static void message(struct batch *batch, uint16_t type, int family)
{
	struct nfgenmsg header = {.nfgen_family = (uint8_t)family, .version = NFNETLINK_V0};

	batch_message(batch, NFNL_SUBSYS_CTNETLINK << 8 | type, 0, &header, sizeof(header));
}

static const struct nlattr *take(const struct nlattr **table, int type, size_t size)
{
	return table[type] && netlink_attr_size(table[type]) >= size ? table[type] : NULL;
}

static struct ipaddr take_address(const struct nlattr **table, int type4, int type6)
{
	if (take(table, type4, 4))
		return ip_from_bytes(AF_INET, netlink_attr_data(table[type4]));
	if (take(table, type6, 16))
		return ip_from_bytes(AF_INET6, netlink_attr_data(table[type6]));
	return (struct ipaddr){0};
}

static uint16_t take_port(const struct nlattr **table, int type)
{
	uint16_t port = 0;

	if (take(table, type, sizeof(port)))
		memcpy(&port, netlink_attr_data(table[type]), sizeof(port));
	return ntohs(port);
}

static struct end take_end(const struct nlattr *tuple)
{
	const struct nlattr *parts[CTA_TUPLE_PROTO + 1];
	const struct nlattr *addresses[CTA_IP_V6_DST + 1], *fields[CTA_PROTO_DST_PORT + 1];
	struct end end = {0};

	if (!tuple)
		return end;
	netlink_parse(netlink_attr_data(tuple), netlink_attr_size(tuple), parts, CTA_TUPLE_PROTO);
	if (!parts[CTA_TUPLE_IP] || !parts[CTA_TUPLE_PROTO])
		return end;
	netlink_parse(netlink_attr_data(parts[CTA_TUPLE_IP]),
		      netlink_attr_size(parts[CTA_TUPLE_IP]), addresses, CTA_IP_V6_DST);
	end.source = take_address(addresses, CTA_IP_V4_SRC, CTA_IP_V6_SRC);
	end.destination = take_address(addresses, CTA_IP_V4_DST, CTA_IP_V6_DST);
	netlink_parse(netlink_attr_data(parts[CTA_TUPLE_PROTO]),
		      netlink_attr_size(parts[CTA_TUPLE_PROTO]), fields, CTA_PROTO_DST_PORT);
	if (take(fields, CTA_PROTO_NUM, 1))
		end.protocol = *(const uint8_t *)netlink_attr_data(fields[CTA_PROTO_NUM]);
	end.source_port = take_port(fields, CTA_PROTO_SRC_PORT);
	end.destination_port = take_port(fields, CTA_PROTO_DST_PORT);
	return end;
}

/* An address that only this host can bind: flows through it to others are none of ours. */
static bool is_local(const struct ipaddr *ip)
{
	struct sockaddr_in address4 = {.sin_family = AF_INET, .sin_addr = ip_to4(ip)};
	struct sockaddr_in6 address6 = {.sin6_family = AF_INET6, .sin6_addr = ip_to6(ip)};
	_cleanup_close_ int fd = socket(ip->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	if (ip->family == AF_INET6)
		return bind(fd, (struct sockaddr *)&address6, sizeof(address6)) == 0;
	return bind(fd, (struct sockaddr *)&address4, sizeof(address4)) == 0;
}

static bool is_stale(const struct search *search, const struct end *to, const struct end *back)
{
	const struct publish *port = search->port;
	struct ipaddr host;

	if (to->protocol != port->protocol || to->destination_port != port->host_port)
		return false;
	if (port->host_ip[0] &&
	    (ip_parse(port->host_ip, &host) < 0 || !ip_equal(&host, &to->destination)))
		return false;
	if (ip_equal(&back->source, &search->container) &&
	    back->source_port == port->container_port)
		return false;
	return is_local(&to->destination);
}

static int look_at(const struct nlmsghdr *header, void *data)
{
	const struct nlattr *table[CTA_TUPLE_REPLY + 1];
	struct search *search = data;
	const size_t skip = NLMSG_ALIGN(sizeof(struct nfgenmsg));
	const struct nfgenmsg *family = NLMSG_DATA(header);
	struct end to, back;

	if (header->nlmsg_len < NLMSG_HDRLEN + skip)
		return 0;
	netlink_parse((const uint8_t *)family + skip, header->nlmsg_len - NLMSG_HDRLEN - skip,
		      table, CTA_TUPLE_REPLY);
	to = take_end(table[CTA_TUPLE_ORIG]);
	back = take_end(table[CTA_TUPLE_REPLY]);
	if (!is_stale(search, &to, &back))
		return 0;
	message(&search->forget, IPCTNL_MSG_CT_DELETE, family->nfgen_family);
	batch_attr(&search->forget, CTA_TUPLE_ORIG | NLA_F_NESTED,
		   netlink_attr_data(table[CTA_TUPLE_ORIG]),
		   netlink_attr_size(table[CTA_TUPLE_ORIG]));
	return 0;
}

/* The kernel picks by protocol and port, so that a big table of a busy host stays there. */
static void build_question(struct batch *batch, int family, const struct publish *port)
{
	uint16_t number = htons(port->host_port);
	size_t tuple, proto, filter;

	message(batch, IPCTNL_MSG_CT_GET, family);
	tuple = batch_nest(batch, CTA_TUPLE_ORIG);
	proto = batch_nest(batch, CTA_TUPLE_PROTO);
	batch_attr_u8(batch, CTA_PROTO_NUM, port->protocol);
	batch_attr(batch, CTA_PROTO_DST_PORT, &number, sizeof(number));
	batch_nest_end(batch, proto);
	batch_nest_end(batch, tuple);
	filter = batch_nest(batch, CTA_FILTER);
	batch_attr_u32(batch, CTA_FILTER_ORIG_FLAGS, FILTER_PROTO_NUM | FILTER_PROTO_DST_PORT);
	batch_nest_end(batch, filter);
}

static int forget_family(const struct publish *port, const struct ipaddr *container, int fd,
			 struct error *err)
{
	struct search search = {.port = port, .container = *container};
	struct batch question = {0};
	int r;

	build_question(&question, container->family, port);
	r = netlink_dump(fd, &question, look_at, &search, err);
	batch_done(&question);
	/* A flow may end by itself meanwhile. */
	if (r >= 0)
		r = batch_send(&search.forget, fd, ENOENT, err);
	batch_done(&search.forget);
	return r;
}

int conntrack_forget(const struct publish *port, struct error *err)
{
	const struct ipaddr ip4 = ip_of4(port->ipv4), ip6 = ip_of6(port->ipv6);
	_cleanup_close_ int fd = -EBADF;
	int r = 0;

	if (port->protocol != IPPROTO_UDP)
		return 0;
	fd = netlink_open(NETLINK_NETFILTER, err);
	if (fd < 0)
		return fd;
	if (port->has_ipv4)
		r = forget_family(port, &ip4, fd, err);
	if (r >= 0 && port->has_ipv6)
		r = forget_family(port, &ip6, fd, err);
	return r < 0 ? error_wrap(err, "flows of port %u/udp", port->host_port) : 0;
}
