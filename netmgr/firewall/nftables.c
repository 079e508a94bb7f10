// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
/* Needs the line before it: the kernel's own idea of addresses then stays away. */
#include <linux/netfilter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "netmgr/firewall/nft_rules.h"
#include "netmgr/firewall/nft_survey.h"
#include "netmgr/netlink/nft.h"

/* True when a chain of this name exists: of iptables-nft. */
static bool has_chain(int fd, uint8_t family, const char *table, const char *chain)
{
	struct error ignored = ERROR_INIT;
	struct batch batch = {0};
	int r;

	nft_message(&batch, NFT_MSG_GETCHAIN, 0, family);
	batch_attr_string(&batch, NFTA_CHAIN_TABLE, table);
	batch_attr_string(&batch, NFTA_CHAIN_NAME, chain);
	r = batch_send(&batch, fd, 0, &ignored);
	batch_done(&batch);
	return r == 0;
}

static void delete_rule(struct batch *batch, const struct nft_old_rule *rule)
{
	nft_message(batch, NFT_MSG_DELRULE, 0, rule->family);
	batch_attr_string(batch, NFTA_RULE_TABLE, rule->table);
	batch_attr_string(batch, NFTA_RULE_CHAIN, rule->chain);
	batch_attr(batch, NFTA_RULE_HANDLE, &rule->handle, sizeof(rule->handle));
}

static void render(struct batch *batch, const struct nft_survey *survey, bool foreign4,
		   bool foreign6)
{
	const struct ruleset *set = survey->set;
	struct nft_element element;
	bool renew = !survey->base && set->count;
	size_t old_base = 0;

	for (size_t i = 0; i < survey->rule_count; i++) {
		old_base += survey->rules[i].base;
		if (!survey->rules[i].base || renew)
			delete_rule(batch, &survey->rules[i]);
	}
	if (renew)
		nft_add_base(batch);
	for (size_t i = 0; i < survey->old_count; i++)
		nft_delete_element(batch, survey->old[i].set, survey->old[i].key);
	for (size_t i = 0; i < survey->added_count; i++)
		nft_add_element(batch, &survey->added[i]);
	for (size_t i = 0; i < set->count; i++) {
		if (nft_element_of(&set->rules[i], &element))
			continue;
		nft_add_rule(batch, &set->rules[i]);
		if (set->rules[i].family == AF_INET ? foreign4 : foreign6)
			nft_add_foreign_rule(batch, &set->rules[i]);
	}
	/* The last owner has left, and the user has nothing here either. */
	if (old_base && !set->count && !survey->others && !survey->user)
		nft_delete_table(batch);
}

static int transact(int fd, const struct nft_survey *survey, bool foreign4, bool foreign6,
		    struct error *err)
{
	struct batch batch = {0};
	int room, r = 0;

	nft_begin(&batch);
	render(&batch, survey, foreign4, foreign6);
	if (batch.count > 1) {
		nft_end(&batch);
		/* It is one datagram. */
		room = (int)batch.size * 2;
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
		r = batch_send(&batch, fd, 0, err);
	}
	batch_done(&batch);
	return r < 0 ? error_wrap(err, "nftables") : 0;
}

/* Whether what the owners should have is not all there. Of our own table the base tells it all. */
static bool lacks(const struct nft_survey *survey, bool foreign4, bool foreign6)
{
	size_t wanted = 0, found = 0;

	for (size_t i = 0; i < survey->set->count; i++) {
		const struct rule *rule = &survey->set->rules[i];

		if (nft_is_foreign_rule(rule) && (rule->family == AF_INET ? foreign4 : foreign6))
			wanted++;
	}
	for (size_t i = 0; i < survey->rule_count; i++)
		found += !survey->rules[i].base && !str_equal(survey->rules[i].table, NFT_TABLE);
	return !survey->base || found < wanted;
}

static int commit(const struct ruleset *set, bool sweeps, struct error *err)
{
	_cleanup_(nft_survey_done) struct nft_survey survey = {.set = set, .sweeps = sweeps};
	_cleanup_close_ int fd = netlink_open(NETLINK_NETFILTER, err);
	bool foreign4 = false, foreign6 = false;
	struct nft_element element;
	int r;

	if (fd < 0)
		return fd;
	for (size_t i = 0; i < set->count; i++)
		if (nft_element_of(&set->rules[i], &element))
			*array_add(survey.added, survey.added_count) = element;
	if (ruleset_has_network(set)) {
		foreign4 = has_chain(fd, NFPROTO_IPV4, "filter", "FORWARD");
		foreign6 = has_chain(fd, NFPROTO_IPV6, "filter", "FORWARD");
	}
	r = nft_survey_take(fd, &survey, foreign4, foreign6, err);
	if (r >= 0 && set->mend && !lacks(&survey, foreign4, foreign6))
		return 0;
	if (r >= 0)
		r = transact(fd, &survey, foreign4, foreign6, err);
	return r < 0 ? r : 1;
}

/* Dead owners are looked for with a network's: it looks at everything anyway, and is rare. */
static int nftables_commit(const struct ruleset *set, struct error *err)
{
	int r = commit(set, ruleset_has_network(set) && !set->mend, err);

	/* Somebody else swept what we were about to delete: that is no reason to fail. */
	if (r == -ENOENT) {
		error_clear(err);
		r = commit(set, false, err);
	}
	return r;
}

static int survey_table(const struct nlmsghdr *message, void *data)
{
	const struct nfgenmsg *header = NLMSG_DATA(message);
	const struct nlattr *table[NFTA_TABLE_MAX + 1];
	enum firewall_use *use = data;

	if (message->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE))
		return 0;
	netlink_parse((const uint8_t *)header + NLMSG_ALIGN(sizeof(*header)),
		      NLMSG_PAYLOAD(message, sizeof(*header)), table, NFTA_TABLE_MAX);
	if (*use == FIREWALL_UNUSED)
		*use = FIREWALL_OTHERS;
	if (header->nfgen_family == NFPROTO_INET && table[NFTA_TABLE_NAME] &&
	    str_equal(netlink_attr_data(table[NFTA_TABLE_NAME]), NFT_TABLE))
		*use = FIREWALL_OURS;
	return 0;
}

/* Use of nf_tables, or -errno where the kernel has none. */
static int ask_for_tables(enum firewall_use *ret)
{
	struct error ignored = ERROR_INIT;
	_cleanup_close_ int fd = netlink_open(NETLINK_NETFILTER, &ignored);
	struct batch batch = {0};
	int r;

	*ret = FIREWALL_UNUSED;
	if (fd < 0)
		return fd;
	nft_message(&batch, NFT_MSG_GETTABLE, 0, NFPROTO_UNSPEC);
	r = netlink_dump(fd, &batch, survey_table, ret, &ignored);
	batch_done(&batch);
	return r;
}

enum firewall_use nftables_in_use(void)
{
	enum firewall_use use;

	return ask_for_tables(&use) < 0 ? FIREWALL_UNUSED : use;
}

bool nftables_works(void)
{
	enum firewall_use use;

	return ask_for_tables(&use) >= 0;
}

const struct firewall_backend firewall_nftables = {"nftables", nftables_commit};
