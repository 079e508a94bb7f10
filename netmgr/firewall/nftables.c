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
#include "netmgr/netlink/nft.h"

struct old_rule {
	uint8_t family;
	const char *table; /* static */
	char *chain;
	uint64_t handle; /* as the kernel has it */
	bool base;       /* goes only where the base is made anew */
};

/* What the kernel has, as far as a commit has to know. */
struct survey {
	const struct ruleset *set;
	struct nft_element *added; /* of the set's rules */
	size_t added_count;

	uint8_t family;
	const char *table;
	enum nft_set elements; /* being dumped */

	struct old_rule *rules; /* to be deleted */
	size_t rule_count;
	struct nft_element *old;
	size_t old_count;
	size_t base, others; /* rules of ours that every owner needs; what owners have who stay */
	size_t user;         /* rules in the user's chain */
};

static void forget_rules(struct survey *survey)
{
	for (size_t i = 0; i < survey->rule_count; i++)
		free(survey->rules[i].chain);
	free(survey->rules);
	survey->rules = NULL;
	survey->rule_count = 0;
}

static void survey_done(struct survey *survey)
{
	forget_rules(survey);
	free(survey->old);
	free(survey->added);
}

/* Attributes of a message of nf_tables, up to @max. */
static void parse(const struct nlmsghdr *message, const struct nlattr **table, unsigned int max)
{
	const struct nfgenmsg *header = NLMSG_DATA(message);

	netlink_parse((const uint8_t *)header + NLMSG_ALIGN(sizeof(*header)),
		      NLMSG_PAYLOAD(message, sizeof(*header)), table, max);
}

static bool is_message(const struct nlmsghdr *message, uint16_t type)
{
	return message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | type);
}

static void note_old_rule(struct survey *survey, const char *chain, const struct nlattr *handle,
			  bool base)
{
	struct old_rule *rule;

	if (!handle || netlink_attr_size(handle) != sizeof(rule->handle))
		return;
	rule = array_add(survey->rules, survey->rule_count);
	rule->family = survey->family;
	rule->table = survey->table;
	rule->chain = alloc_string(chain);
	rule->base = base;
	memcpy(&rule->handle, netlink_attr_data(handle), sizeof(rule->handle));
}

static int survey_rule(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *table[NFTA_RULE_MAX + 1];
	struct survey *survey = data;
	bool ours = survey->family == NFPROTO_INET;
	const char *owner, *chain;

	if (!is_message(message, NFT_MSG_NEWRULE))
		return 0;
	parse(message, table, NFTA_RULE_MAX);
	if (!table[NFTA_RULE_CHAIN])
		return 0;
	owner = nft_comment_of(table[NFTA_RULE_USERDATA]);
	chain = netlink_attr_data(table[NFTA_RULE_CHAIN]);
	if (ours && str_equal(chain, NFT_USER_CHAIN))
		survey->user++;
	else if (ours && str_equal(owner, NFT_BASE_OWNER)) {
		survey->base += str_equal(chain, NFT_BASE_CHAIN);
		note_old_rule(survey, chain, table[NFTA_RULE_HANDLE], true);
	} else if (owner && ruleset_has_owner(survey->set, owner))
		note_old_rule(survey, chain, table[NFTA_RULE_HANDLE], false);
	else if (ours)
		survey->others++;
	return 0;
}

/* @chain NULL: all of them. */
static int dump_rules(int fd, uint8_t family, const char *table, const char *chain,
		      struct survey *survey, struct error *err)
{
	struct batch batch = {0};
	int r;

	survey->family = family;
	survey->table = table;
	nft_message(&batch, NFT_MSG_GETRULE, 0, family);
	batch_attr_string(&batch, NFTA_RULE_TABLE, table);
	if (chain)
		batch_attr_string(&batch, NFTA_RULE_CHAIN, chain);
	r = netlink_dump(fd, &batch, survey_rule, survey, err);
	batch_done(&batch);
	if (r == -ENOENT) {
		error_clear(err);
		return 0;
	}
	return r;
}

/* A port that is being published is its owner's, who holds the socket, whoever had it before. */
static bool is_added(const struct survey *survey, const uint8_t *key)
{
	size_t size = nft_set_key_size(survey->elements);

	for (size_t i = 0; i < survey->added_count; i++)
		if (survey->added[i].set == survey->elements &&
		    memcmp(survey->added[i].key, key, size) == 0)
			return true;
	return false;
}

static void survey_element(struct survey *survey, const struct nlattr *element)
{
	const struct nlattr *table[NFTA_SET_ELEM_MAX + 1], *key[NFTA_DATA_MAX + 1];
	struct nft_element *old;
	const char *owner;
	const void *value;

	netlink_parse(netlink_attr_data(element), netlink_attr_size(element), table,
		      NFTA_SET_ELEM_MAX);
	if (!table[NFTA_SET_ELEM_KEY])
		return;
	netlink_parse(netlink_attr_data(table[NFTA_SET_ELEM_KEY]),
		      netlink_attr_size(table[NFTA_SET_ELEM_KEY]), key, NFTA_DATA_MAX);
	if (!key[NFTA_DATA_VALUE] ||
	    netlink_attr_size(key[NFTA_DATA_VALUE]) != nft_set_key_size(survey->elements))
		return;
	value = netlink_attr_data(key[NFTA_DATA_VALUE]);
	owner = nft_comment_of(table[NFTA_SET_ELEM_USERDATA]);
	if (!(owner && ruleset_has_owner(survey->set, owner)) && !is_added(survey, value)) {
		survey->others++;
		return;
	}
	old = array_add(survey->old, survey->old_count);
	old->set = survey->elements;
	memcpy(old->key, value, nft_set_key_size(survey->elements));
}

static int survey_elements(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *table[NFTA_SET_ELEM_LIST_MAX + 1], *attr;
	const uint8_t *at;
	size_t left;

	if (!is_message(message, NFT_MSG_NEWSETELEM))
		return 0;
	parse(message, table, NFTA_SET_ELEM_LIST_MAX);
	if (!table[NFTA_SET_ELEM_LIST_ELEMENTS])
		return 0;
	at = netlink_attr_data(table[NFTA_SET_ELEM_LIST_ELEMENTS]);
	left = netlink_attr_size(table[NFTA_SET_ELEM_LIST_ELEMENTS]);
	while (left >= sizeof(*attr)) {
		size_t step;

		attr = (const struct nlattr *)at;
		step = NLA_ALIGN(attr->nla_len);
		if (attr->nla_len < sizeof(*attr) || attr->nla_len > left)
			break;
		survey_element(data, attr);
		at += step;
		left -= step < left ? step : left;
	}
	return 0;
}

static int dump_elements(int fd, struct survey *survey, struct error *err)
{
	int r = 0;

	for (int set = 0; r >= 0 && set < NFT_SETS; set++) {
		struct batch batch = {0};

		survey->elements = (enum nft_set)set;
		nft_message(&batch, NFT_MSG_GETSETELEM, 0, NFPROTO_INET);
		batch_attr_string(&batch, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
		batch_attr_string(&batch, NFTA_SET_ELEM_LIST_SET, nft_set_name(survey->elements));
		r = netlink_dump(fd, &batch, survey_elements, survey, err);
		batch_done(&batch);
		if (r == -ENOENT) {
			error_clear(err);
			r = 0;
		}
	}
	return r;
}

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

/* Where the base is not as it should be, or an owner has rules: an older berth was here. */
static bool has_old_form(const struct survey *survey)
{
	bool owned = false;

	for (size_t i = 0; i < survey->rule_count; i++)
		owned |= !survey->rules[i].base;
	return owned || !survey->base;
}

/*
 * A container's commit needs to know of the elements only: how many rules the networks of the host
 * have is of no matter to it. Whether the table can go is asked when the last element does. An
 * older berth had rules for ports too: then all are looked at.
 */
static int dump_own_rules(int fd, struct survey *survey, struct error *err)
{
	bool all = ruleset_has_network(survey->set) || (!survey->set->count && !survey->others);
	size_t others = survey->others;
	int r;

	if (!all) {
		r = dump_rules(fd, NFPROTO_INET, NFT_TABLE, NFT_BASE_CHAIN, survey, err);
		if (r < 0 || !has_old_form(survey))
			return r;
		forget_rules(survey);
		survey->base = 0;
		survey->others = others;
	}
	return dump_rules(fd, NFPROTO_INET, NFT_TABLE, NULL, survey, err);
}

static int take_survey(int fd, struct survey *survey, bool foreign4, bool foreign6,
		       struct error *err)
{
	int r = dump_elements(fd, survey, err);

	if (r >= 0)
		r = dump_own_rules(fd, survey, err);
	if (r >= 0 && foreign4)
		r = dump_rules(fd, NFPROTO_IPV4, "filter", "FORWARD", survey, err);
	if (r >= 0 && foreign6)
		r = dump_rules(fd, NFPROTO_IPV6, "filter", "FORWARD", survey, err);
	return r;
}

static void delete_rule(struct batch *batch, const struct old_rule *rule)
{
	nft_message(batch, NFT_MSG_DELRULE, 0, rule->family);
	batch_attr_string(batch, NFTA_RULE_TABLE, rule->table);
	batch_attr_string(batch, NFTA_RULE_CHAIN, rule->chain);
	batch_attr(batch, NFTA_RULE_HANDLE, &rule->handle, sizeof(rule->handle));
}

static void render(struct batch *batch, const struct survey *survey, bool foreign4, bool foreign6)
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

static int transact(int fd, const struct survey *survey, bool foreign4, bool foreign6,
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

static int nftables_commit(const struct ruleset *set, struct error *err)
{
	_cleanup_(survey_done) struct survey survey = {.set = set};
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
	r = take_survey(fd, &survey, foreign4, foreign6, err);
	return r < 0 ? r : transact(fd, &survey, foreign4, foreign6, err);
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
