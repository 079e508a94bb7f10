// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/firewall/watch.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
/* Needs the line before it: the kernel's own idea of addresses then stays away. */
#include <linux/netfilter.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/str.h"

#include "netmgr/firewall/firewall.h"
#include "netmgr/firewall/nft_rules.h"
#include "netmgr/netlink/batch.h"

#define MESSAGE_BYTES (64 << 10)

int firewall_watch_open(struct error *err)
{
	_cleanup_close_ int fd = -EBADF;
	struct sockaddr_nl address = {.nl_family = AF_NETLINK,
				      .nl_groups = 1U << (NFNLGRP_NFTABLES - 1)};

	if (!str_equal(firewall_backend(), "nftables"))
		return error_set(err, ENOTSUP, "nobody tells of other firewalls here");
	fd = netlink_open(NETLINK_NETFILTER, err);
	if (fd < 0)
		return fd;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_errno(err, "netlink: listen to changes of nf_tables");
	return TAKE_FD(fd);
}

static const char *text_of(const struct nlattr *attr)
{
	size_t size = attr ? netlink_attr_size(attr) : 0;
	const char *text = attr ? netlink_attr_data(attr) : NULL;

	return size && !text[size - 1] ? text : "";
}

/*
 * The chain that our rules stand in is new or has another policy, or lost a rule; or our own table
 * is gone. What berth itself does can look so: then nothing is found to be missing.
 */
static bool concerns_us(const struct nlmsghdr *message)
{
	const struct nfgenmsg *header = NLMSG_DATA(message);
	const struct nlattr *table[NFTA_RULE_MAX + 1];
	bool chain, rule;

	if (message->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES ||
	    message->nlmsg_len < NLMSG_LENGTH(sizeof(*header)))
		return false;
	/* Table and chain's name have the numbers 1 and 3 in messages on chains, 1 and 2 on rules.
	 */
	netlink_parse((const uint8_t *)header + NLMSG_ALIGN(sizeof(*header)),
		      NLMSG_PAYLOAD(message, sizeof(*header)), table, NFTA_RULE_MAX);
	chain = (message->nlmsg_type & 0xff) == NFT_MSG_NEWCHAIN;
	rule = (message->nlmsg_type & 0xff) == NFT_MSG_DELRULE;
	if (header->nfgen_family == NFPROTO_INET)
		return (message->nlmsg_type & 0xff) == NFT_MSG_DELTABLE &&
		       str_equal(text_of(table[NFTA_TABLE_NAME]), NFT_TABLE);
	if (!chain && !rule)
		return false;
	return str_equal(text_of(table[NFTA_RULE_TABLE]), "filter") &&
	       str_equal(text_of(table[chain ? NFTA_CHAIN_NAME : NFTA_RULE_CHAIN]), "FORWARD");
}

bool firewall_watch_read(int fd)
{
	static uint8_t buffer[MESSAGE_BYTES];
	bool due = false;
	ssize_t n;

	while ((n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT)) != 0) {
		const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
		size_t left;

		if (n < 0 && errno == ENOBUFS) {
			/* More than we could hold: it may have been among that. */
			due = true;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		for (left = (size_t)n; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left))
			due = due || concerns_us(message);
	}
	return due;
}
