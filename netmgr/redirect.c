// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/redirect.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"

#define RESOLVER_ADDRESS 0x7f00000b /* 127.0.0.11 */
#define RESOLVER_PORT    53
#define LOCAL_OUT        3 /* NF_INET_LOCAL_OUT */

static void message(struct batch *batch, uint16_t type, uint16_t flags, uint8_t family,
		    uint16_t resource)
{
	struct nfgenmsg header = {
		.nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(resource)};

	batch_message(batch, type, flags, &header, sizeof(header));
}

static void nft_message(struct batch *batch, uint16_t type, uint16_t flags)
{
	message(batch, NFNL_SUBSYS_NFTABLES << 8 | type, flags, AF_INET, 0);
}

static void put_be32(struct batch *batch, uint16_t type, uint32_t value)
{
	batch_attr_u32(batch, type, htonl(value));
}

static void put_chain(struct batch *batch, const char *name, int priority)
{
	size_t hook;

	nft_message(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	batch_attr_string(batch, NFTA_CHAIN_TABLE, "berth");
	batch_attr_string(batch, NFTA_CHAIN_NAME, name);
	hook = batch_nest(batch, NFTA_CHAIN_HOOK);
	put_be32(batch, NFTA_HOOK_HOOKNUM, LOCAL_OUT);
	put_be32(batch, NFTA_HOOK_PRIORITY, priority);
	batch_nest_end(batch, hook);
	batch_attr_string(batch, NFTA_CHAIN_TYPE, "filter");
}

struct expression {
	size_t element, data;
};

static struct expression begin_expression(struct batch *batch, const char *name)
{
	struct expression e;

	e.element = batch_nest(batch, NFTA_LIST_ELEM);
	batch_attr_string(batch, NFTA_EXPR_NAME, name);
	e.data = batch_nest(batch, NFTA_EXPR_DATA);
	return e;
}

static void end_expression(struct batch *batch, struct expression e)
{
	batch_nest_end(batch, e.data);
	batch_nest_end(batch, e.element);
}

/* Returns where the value stands. */
static size_t put_value(struct batch *batch, uint16_t type, const void *value, size_t size)
{
	size_t nest = batch_nest(batch, type), at = batch->size + NLA_HDRLEN;

	batch_attr(batch, NFTA_DATA_VALUE, value, size);
	batch_nest_end(batch, nest);
	return at;
}

static size_t put_compare(struct batch *batch, const void *value, size_t size)
{
	struct expression e = begin_expression(batch, "cmp");
	size_t at;

	put_be32(batch, NFTA_CMP_SREG, NFT_REG_1);
	put_be32(batch, NFTA_CMP_OP, NFT_CMP_EQ);
	at = put_value(batch, NFTA_CMP_DATA, value, size);
	end_expression(batch, e);
	return at;
}

static size_t put_field(struct batch *batch, uint32_t base, uint32_t offset, const void *value,
			size_t size)
{
	struct expression e = begin_expression(batch, "payload");

	put_be32(batch, NFTA_PAYLOAD_DREG, NFT_REG_1);
	put_be32(batch, NFTA_PAYLOAD_BASE, base);
	put_be32(batch, NFTA_PAYLOAD_OFFSET, offset);
	put_be32(batch, NFTA_PAYLOAD_LEN, size);
	end_expression(batch, e);
	return put_compare(batch, value, size);
}

static size_t put_immediate(struct batch *batch, uint16_t port)
{
	struct expression e = begin_expression(batch, "immediate");
	size_t at;

	put_be32(batch, NFTA_IMMEDIATE_DREG, NFT_REG_1);
	at = put_value(batch, NFTA_IMMEDIATE_DATA, &port, sizeof(port));
	end_expression(batch, e);
	return at;
}

static void put_store(struct batch *batch, uint32_t offset, uint8_t protocol)
{
	struct expression e = begin_expression(batch, "payload");

	put_be32(batch, NFTA_PAYLOAD_SREG, NFT_REG_1);
	put_be32(batch, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
	put_be32(batch, NFTA_PAYLOAD_OFFSET, offset);
	put_be32(batch, NFTA_PAYLOAD_LEN, 2);
	put_be32(batch, NFTA_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
	put_be32(batch, NFTA_PAYLOAD_CSUM_OFFSET, protocol == IPPROTO_TCP ? 16 : 6);
	end_expression(batch, e);
}

/*
 * A query: to 127.0.0.11:53, its destination becomes our port. An answer: from there and our
 * port, its source becomes 53. Returns where our port stands.
 */
static size_t put_rule(struct batch *batch, bool query, uint8_t protocol)
{
	const uint32_t address = htonl(RESOLVER_ADDRESS);
	const uint16_t resolver = htons(RESOLVER_PORT);
	uint32_t port_offset = query ? 2 : 0;
	size_t list, compared, stored;

	nft_message(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	batch_attr_string(batch, NFTA_RULE_TABLE, "berth");
	batch_attr_string(batch, NFTA_RULE_CHAIN, query ? "queries" : "answers");
	list = batch_nest(batch, NFTA_RULE_EXPRESSIONS);
	put_field(batch, NFT_PAYLOAD_NETWORK_HEADER, query ? 16 : 12, &address, sizeof(address));
	put_field(batch, NFT_PAYLOAD_NETWORK_HEADER, 9, &protocol, sizeof(protocol));
	compared = put_field(batch, NFT_PAYLOAD_TRANSPORT_HEADER, port_offset, &resolver,
			     sizeof(resolver));
	stored = put_immediate(batch, resolver);
	put_store(batch, port_offset, protocol);
	batch_nest_end(batch, list);
	return query ? stored : compared;
}

const struct redirect *redirect_prepare(void)
{
	static struct redirect redirect;
	struct batch *batch = &redirect.batch;

	if (batch->count)
		return &redirect;
	message(batch, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	nft_message(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	batch_attr_string(batch, NFTA_TABLE_NAME, "berth");
	put_chain(batch, "answers", -300); /* before connection tracking (-200) */
	put_chain(batch, "queries", -100); /* after it */
	redirect.port_at[0] = put_rule(batch, true, IPPROTO_UDP);
	redirect.port_at[1] = put_rule(batch, false, IPPROTO_UDP);
	redirect.port_at[2] = put_rule(batch, true, IPPROTO_TCP);
	redirect.port_at[3] = put_rule(batch, false, IPPROTO_TCP);
	/* Older kernels answer rules only, newer ones the end as well: the last rule is awaited. */
	message(batch, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	batch->count--;
	/* A refusal of the whole is told of the beginning: number 0 marks it as the last word. */
	((struct nlmsghdr *)batch->data)->nlmsg_seq = 0;
	return &redirect;
}

/* @port 0: any. Network order in and out. */
static int open_socket(int type, uint16_t port, uint16_t *ret_port, struct error *err)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(RESOLVER_ADDRESS),
		.sin_port = port,
	};
	socklen_t size = sizeof(address);
	_cleanup_close_ int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 128) < 0) ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return error_errno(err, "DNS: open a socket on 127.0.0.11");
	*ret_port = address.sin_port;
	return TAKE_FD(fd);
}

static int open_sockets(uint16_t port, int fds[2], uint16_t ports[2], struct error *err)
{
	_cleanup_close_ int udp = open_socket(SOCK_DGRAM, port, &ports[0], err);
	int tcp = udp < 0 ? udp : open_socket(SOCK_STREAM, port, &ports[1], err);

	if (tcp < 0)
		return tcp;
	fds[0] = TAKE_FD(udp);
	fds[1] = tcp;
	return 0;
}

static int send_rules(const struct redirect *redirect, const uint16_t ports[2], struct error *err)
{
	_cleanup_close_ int fd = netlink_open(NETLINK_NETFILTER, err);
	_Alignas(8) uint8_t copy[4096];

	if (fd < 0)
		return fd;
	if (redirect->batch.size > sizeof(copy))
		return error_set(err, EMSGSIZE, "DNS: too many rules");
	memcpy(copy, redirect->batch.data, redirect->batch.size);
	for (unsigned int i = 0; i < REDIRECT_PORTS; i++)
		memcpy(copy + redirect->port_at[i], &ports[i / 2], sizeof(ports[0]));
	return netlink_transact(fd, copy, redirect->batch.size, redirect->batch.count, 0, err);
}

int redirect_listen(const struct redirect *redirect, int ret_fds[2], struct error *err)
{
	uint16_t ports[2];
	int r;

	r = open_sockets(0, ret_fds, ports, err);
	if (r < 0 || send_rules(redirect, ports, err) >= 0)
		return r;
	error_clear(err);
	close(ret_fds[0]);
	close(ret_fds[1]);
	return open_sockets(htons(RESOLVER_PORT), ret_fds, ports, err);
}
