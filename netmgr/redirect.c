// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/redirect.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <netinet/in.h>
/* Needs the line before it: the kernel's own idea of addresses then stays away. */
#include <linux/netfilter.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"

#include "netmgr/netlink/nft.h"
#include "netmgr/netns.h"

#define RESOLVER_ADDRESS 0x7f00000b /* 127.0.0.11 */
#define RESOLVER_PORT    53

static void put_chain(struct batch *batch, const char *name, int priority)
{
	size_t hook;

	nft_message(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE, NFPROTO_IPV4);
	batch_attr_string(batch, NFTA_CHAIN_TABLE, "berth");
	batch_attr_string(batch, NFTA_CHAIN_NAME, name);
	hook = batch_nest(batch, NFTA_CHAIN_HOOK);
	nft_be32(batch, NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT);
	nft_be32(batch, NFTA_HOOK_PRIORITY, (uint32_t)priority);
	batch_nest_end(batch, hook);
	batch_attr_string(batch, NFTA_CHAIN_TYPE, "filter");
}

/* Both return where the value stands. */
static size_t match_field(struct batch *batch, uint32_t base, uint32_t offset, const void *value,
			  size_t size)
{
	nft_load_payload(batch, 0, base, offset, (uint32_t)size);
	return nft_compare(batch, 0, true, value, size);
}

static size_t set_port(struct batch *batch, uint32_t offset, uint16_t port, uint8_t protocol)
{
	size_t at = nft_set_register(batch, 0, &port, sizeof(port));

	nft_store_payload(batch, 0, NFT_PAYLOAD_TRANSPORT_HEADER, offset, sizeof(port),
			  protocol == IPPROTO_TCP ? 16 : 6);
	return at;
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

	nft_message(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, NFPROTO_IPV4);
	batch_attr_string(batch, NFTA_RULE_TABLE, "berth");
	batch_attr_string(batch, NFTA_RULE_CHAIN, query ? "queries" : "answers");
	list = batch_nest(batch, NFTA_RULE_EXPRESSIONS);
	match_field(batch, NFT_PAYLOAD_NETWORK_HEADER, query ? 16 : 12, &address, sizeof(address));
	match_field(batch, NFT_PAYLOAD_NETWORK_HEADER, 9, &protocol, sizeof(protocol));
	compared = match_field(batch, NFT_PAYLOAD_TRANSPORT_HEADER, port_offset, &resolver,
			       sizeof(resolver));
	stored = set_port(batch, port_offset, resolver, protocol);
	batch_nest_end(batch, list);
	return query ? stored : compared;
}

static void put_table(struct batch *batch, uint16_t type)
{
	nft_message(batch, type, type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0, NFPROTO_IPV4);
	batch_attr_string(batch, NFTA_TABLE_NAME, "berth");
}

static void build(struct redirect *redirect, bool replace)
{
	struct batch *batch = &redirect->batch;

	nft_begin(batch);
	put_table(batch, NFT_MSG_NEWTABLE);
	if (replace) {
		put_table(batch, NFT_MSG_DELTABLE);
		put_table(batch, NFT_MSG_NEWTABLE);
	}
	put_chain(batch, "answers", -300); /* before connection tracking (-200) */
	put_chain(batch, "queries", -100); /* after it */
	redirect->port_at[0] = put_rule(batch, true, IPPROTO_UDP);
	redirect->port_at[1] = put_rule(batch, false, IPPROTO_UDP);
	redirect->port_at[2] = put_rule(batch, true, IPPROTO_TCP);
	redirect->port_at[3] = put_rule(batch, false, IPPROTO_TCP);
	nft_end(batch);
}

const struct redirect *redirect_prepare(void)
{
	static struct redirect redirect;

	if (!redirect.batch.count)
		build(&redirect, false);
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

int redirect_renew(int netns_fd, int ret_fds[2], struct error *err)
{
	struct redirect redirect = {0};
	int home = netns_enter(netns_fd, err), r;

	if (home < 0)
		return home;
	build(&redirect, true);
	r = redirect_listen(&redirect, ret_fds, err);
	netns_leave(home);
	batch_done(&redirect.batch);
	return r;
}
