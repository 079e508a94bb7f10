// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/usermode.h"

#include <arpa/inet.h>
#include <linux/fib_rules.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
/* Needs the line before it: the kernel's own idea of addresses then stays away. */
#include <linux/netfilter.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/rootless.h"
#include "common/str.h"

#include "netmgr/netlink/batch.h"
#include "netmgr/netlink/nft.h"

/* Both of no meaning to anybody else: the namespace is berth's. */
#define MARK  0x62
#define TABLE 0x62

#define PRIORITY_MANGLE (-150)

/* What is marked asks the table, in which everything is here. */
static void put_routes(struct batch *batch, uint8_t family)
{
	struct fib_rule_hdr rule = {.family = family, .table = TABLE, .action = FR_ACT_TO_TBL};
	struct rtmsg route = {.rtm_family = family,
			      .rtm_table = TABLE,
			      .rtm_protocol = RTPROT_STATIC,
			      .rtm_scope = RT_SCOPE_HOST,
			      .rtm_type = RTN_LOCAL};

	batch_message(batch, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, &rule, sizeof(rule));
	batch_attr_u32(batch, FRA_FWMARK, MARK);
	batch_attr_u32(batch, FRA_PRIORITY, 1);
	batch_message(batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &route, sizeof(route));
	batch_attr_u32(batch, RTA_OIF, if_nametoindex("lo"));
}

/* Who belongs to such a socket is marked. */
static void put_rules(struct batch *batch)
{
	const uint32_t mark = MARK;
	const uint8_t yes = 1;
	size_t hook, list;

	nft_begin(batch);
	nft_message(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, NFPROTO_INET);
	batch_attr_string(batch, NFTA_TABLE_NAME, "berth-clients");
	nft_message(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE, NFPROTO_INET);
	batch_attr_string(batch, NFTA_CHAIN_TABLE, "berth-clients");
	batch_attr_string(batch, NFTA_CHAIN_NAME, "answers");
	hook = batch_nest(batch, NFTA_CHAIN_HOOK);
	nft_be32(batch, NFTA_HOOK_HOOKNUM, NF_INET_PRE_ROUTING);
	nft_be32(batch, NFTA_HOOK_PRIORITY, (uint32_t)PRIORITY_MANGLE);
	batch_nest_end(batch, hook);
	batch_attr_string(batch, NFTA_CHAIN_TYPE, "filter");

	nft_message(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, NFPROTO_INET);
	batch_attr_string(batch, NFTA_RULE_TABLE, "berth-clients");
	batch_attr_string(batch, NFTA_RULE_CHAIN, "answers");
	list = batch_nest(batch, NFTA_RULE_EXPRESSIONS);
	nft_load_socket(batch, 0, NFT_SOCKET_TRANSPARENT);
	nft_compare(batch, 0, true, &yes, sizeof(yes));
	nft_set_register(batch, 0, &mark, sizeof(mark));
	nft_store_meta(batch, 0, NFT_META_MARK);
	batch_nest_end(batch, list);
	nft_end(batch);
}

int usermode_prepare(struct error *err)
{
	_cleanup_close_ int route = netlink_open(NETLINK_ROUTE, err), filter = -EBADF;
	struct batch routes = {0}, routes6 = {0}, rules = {0};
	struct error ignored = ERROR_INIT;
	int r = route < 0 ? route : (filter = netlink_open(NETLINK_NETFILTER, err));

	put_routes(&routes, AF_INET);
	put_routes(&routes6, AF_INET6);
	put_rules(&rules);
	if (r >= 0)
		r = batch_send(&routes, route, 0, err);
	/* A kernel may have no IPv6. */
	if (r >= 0)
		(void)batch_send(&routes6, route, 0, &ignored);
	if (r >= 0)
		r = batch_send(&rules, filter, 0, err);
	batch_done(&routes);
	batch_done(&routes6);
	batch_done(&rules);
	return r < 0 ? r : 0;
}

static bool is_prepared(void)
{
	static int prepared = -1;

	if (prepared < 0) {
		_cleanup_free_ char *path =
			rootless() ? str_printf("%s/" ROOTLESS_CLIENTS, rootless_directory())
				   : NULL;

		prepared = path && access(path, F_OK) == 0;
	}
	return prepared;
}

/* The host's own, by an address that only it can have. */
static bool is_loopback(const struct sockaddr *client)
{
	if (client->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)client)->sin_addr.s_addr) >> 24 ==
		       IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)client)->sin6_addr) ||
	       IN6_IS_ADDR_LINKLOCAL(&((const struct sockaddr_in6 *)client)->sin6_addr);
}

void usermode_as_client(int fd, const struct sockaddr *client, const struct sockaddr *to)
{
	bool v4 = client->sa_family == AF_INET;
	struct sockaddr_storage address = {0};
	socklen_t size = v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	int on = 1;

	if (!is_prepared() || client->sa_family != to->sa_family || is_loopback(client))
		return;
	if (setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TRANSPARENT : IPV6_TRANSPARENT,
		       &on, sizeof(on)) < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	memcpy(&address, client, size);
	if (bind(fd, (const struct sockaddr *)&address, size) == 0)
		return;
	/* Somebody has that port of the client's: any other then. Both ports stand at one place. */
	((struct sockaddr_in *)&address)->sin_port = 0;
	(void)bind(fd, (const struct sockaddr *)&address, size);
}
