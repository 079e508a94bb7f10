// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/firewall/nft_survey.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
/* Needs the line before it: the kernel's own idea of addresses then stays away. */
#include <linux/netfilter.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

#include "netmgr/firewall/dead.h"
#include "netmgr/netlink/nft.h"

/* A rule or an element of an owner who stays, unless he is dead. */
struct stranger {
	char *owner;
	bool ours; /* in our table */
	bool is_rule;
	struct nft_old_rule rule;
	struct nft_element element;
};

/* A survey under way. */
struct look {
	struct nft_survey *survey;
	uint8_t family;
	const char *table;
	enum nft_set elements; /* being dumped */

	bool sweeps;
	struct dead_owners dead;
	struct stranger *strangers;
	size_t stranger_count;
};

static void forget_rules(struct nft_survey *survey)
{
	for (size_t i = 0; i < survey->rule_count; i++)
		free(survey->rules[i].chain);
	free(survey->rules);
	survey->rules = NULL;
	survey->rule_count = 0;
}

void nft_survey_done(struct nft_survey *survey)
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

static void parse_nested(const struct nlattr *attr, const struct nlattr **table, unsigned int max)
{
	netlink_parse(netlink_attr_data(attr), netlink_attr_size(attr), table, max);
}

static bool is_message(const struct nlmsghdr *message, uint16_t type)
{
	return message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | type);
}

/* The entries of a list, one after the other; @at NULL: the first. NULL: there are no more. */
static const struct nlattr *next_entry(const struct nlattr *list, const struct nlattr *at)
{
	const uint8_t *data = netlink_attr_data(list), *end = data + netlink_attr_size(list);
	const uint8_t *next = at ? (const uint8_t *)at + NLA_ALIGN(at->nla_len) : data;

	if (next > end || (size_t)(end - next) < sizeof(*at))
		return NULL;
	at = (const struct nlattr *)next;
	return at->nla_len < sizeof(*at) || at->nla_len > (size_t)(end - next) ? NULL : at;
}

static bool is_expression(const struct nlattr **table, const char *name)
{
	return table[NFTA_EXPR_NAME] && table[NFTA_EXPR_DATA] &&
	       str_equal(netlink_attr_data(table[NFTA_EXPR_NAME]), name);
}

static bool loads_interface(const struct nlattr *meta)
{
	const struct nlattr *table[NFTA_META_MAX + 1];
	uint32_t key;

	parse_nested(meta, table, NFTA_META_MAX);
	if (!table[NFTA_META_KEY] || netlink_attr_size(table[NFTA_META_KEY]) != sizeof(key))
		return false;
	memcpy(&key, netlink_attr_data(table[NFTA_META_KEY]), sizeof(key));
	return ntohl(key) == NFT_META_IIFNAME || ntohl(key) == NFT_META_OIFNAME;
}

/* What is compared with, where it is a name of an interface, whole and ended. */
static const char *compared_name(const struct nlattr *compare)
{
	const struct nlattr *table[NFTA_CMP_MAX + 1], *data[NFTA_DATA_MAX + 1];
	const char *name;

	parse_nested(compare, table, NFTA_CMP_MAX);
	if (!table[NFTA_CMP_DATA])
		return NULL;
	parse_nested(table[NFTA_CMP_DATA], data, NFTA_DATA_MAX);
	if (!data[NFTA_DATA_VALUE] || netlink_attr_size(data[NFTA_DATA_VALUE]) != IFNAMSIZ)
		return NULL;
	name = netlink_attr_data(data[NFTA_DATA_VALUE]);
	return name[0] && memchr(name, '\0', IFNAMSIZ) ? name : NULL;
}

static void see_rule(struct look *look, const char *owner, const struct nlattr *expressions)
{
	const struct nlattr *table[NFTA_EXPR_MAX + 1], *at = NULL;
	bool interface = false;

	while ((at = next_entry(expressions, at))) {
		const char *name = NULL;

		parse_nested(at, table, NFTA_EXPR_MAX);
		if (interface && is_expression(table, "cmp"))
			name = compared_name(table[NFTA_EXPR_DATA]);
		if (name)
			dead_owners_see_interface(&look->dead, owner, name);
		interface = is_expression(table, "meta") && loads_interface(table[NFTA_EXPR_DATA]);
	}
}

static struct stranger *note_stranger(struct look *look, const char *owner, bool ours)
{
	struct stranger *stranger = array_add(look->strangers, look->stranger_count);

	stranger->owner = alloc_string(owner);
	stranger->ours = ours;
	return stranger;
}

/* False: the kernel says not which rule it is. */
static bool read_rule(const struct look *look, const char *chain, const struct nlattr *handle,
		      struct nft_old_rule *ret)
{
	if (!handle || netlink_attr_size(handle) != sizeof(ret->handle))
		return false;
	*ret = (struct nft_old_rule){.family = look->family, .table = look->table};
	ret->chain = alloc_string(chain);
	memcpy(&ret->handle, netlink_attr_data(handle), sizeof(ret->handle));
	return true;
}

static void note_rule(struct look *look, const char *chain, const struct nlattr *handle, bool base)
{
	struct nft_old_rule rule;

	if (!read_rule(look, chain, handle, &rule))
		return;
	rule.base = base;
	*array_add(look->survey->rules, look->survey->rule_count) = rule;
}

static void note_strange_rule(struct look *look, const char *owner, const struct nlattr **table)
{
	const char *chain = netlink_attr_data(table[NFTA_RULE_CHAIN]);
	bool ours = look->family == NFPROTO_INET;
	struct stranger *stranger;
	struct nft_old_rule rule;

	if (!read_rule(look, chain, table[NFTA_RULE_HANDLE], &rule))
		return;
	stranger = note_stranger(look, owner, ours);
	stranger->is_rule = true;
	stranger->rule = rule;
	if (ours && table[NFTA_RULE_EXPRESSIONS])
		see_rule(look, owner, table[NFTA_RULE_EXPRESSIONS]);
}

static int look_at_rule(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *table[NFTA_RULE_MAX + 1];
	struct look *look = data;
	struct nft_survey *survey = look->survey;
	bool ours = look->family == NFPROTO_INET;
	const char *owner, *chain;

	if (!is_message(message, NFT_MSG_NEWRULE))
		return 0;
	parse(message, table, NFTA_RULE_MAX);
	if (!table[NFTA_RULE_CHAIN])
		return 0;
	owner = nft_comment_of(table[NFTA_RULE_USERDATA]);
	chain = netlink_attr_data(table[NFTA_RULE_CHAIN]);
	if (ours && str_equal(chain, NFT_USER_CHAIN)) {
		survey->user++;
	} else if (ours && str_equal(owner, NFT_BASE_OWNER)) {
		survey->base += str_equal(chain, NFT_BASE_CHAIN);
		note_rule(look, chain, table[NFTA_RULE_HANDLE], true);
	} else if (owner && ruleset_has_owner(survey->set, owner)) {
		note_rule(look, chain, table[NFTA_RULE_HANDLE], false);
	} else {
		survey->others += ours;
		if (owner && look->sweeps)
			note_strange_rule(look, owner, table);
	}
	return 0;
}

/* @chain NULL: all of them. */
static int dump_rules(int fd, uint8_t family, const char *table, const char *chain,
		      struct look *look, struct error *err)
{
	struct batch batch = {0};
	int r;

	look->family = family;
	look->table = table;
	nft_message(&batch, NFT_MSG_GETRULE, 0, family);
	batch_attr_string(&batch, NFTA_RULE_TABLE, table);
	if (chain)
		batch_attr_string(&batch, NFTA_RULE_CHAIN, chain);
	r = netlink_dump(fd, &batch, look_at_rule, look, err);
	batch_done(&batch);
	if (r == -ENOENT) {
		error_clear(err);
		return 0;
	}
	return r;
}

/* A port that is being published is its owner's, who holds the socket, whoever had it before. */
static bool is_added(const struct look *look, const uint8_t *key)
{
	const struct nft_survey *survey = look->survey;
	size_t size = nft_set_key_size(look->elements);

	for (size_t i = 0; i < survey->added_count; i++)
		if (survey->added[i].set == look->elements &&
		    memcmp(survey->added[i].key, key, size) == 0)
			return true;
	return false;
}

/* Protocol and port are the last parts of a published one's key, in a register each. */
static void see_port(struct look *look, const char *owner, const uint8_t *key)
{
	const uint8_t *end = key + nft_set_key_size(look->elements);
	uint16_t port;

	memcpy(&port, end - 4, sizeof(port));
	dead_owners_see_port(&look->dead, owner, end[-8], ntohs(port));
}

static void note_strange_element(struct look *look, const char *owner, const uint8_t *key)
{
	struct stranger *stranger = note_stranger(look, owner, true);
	struct nft_element *element = &stranger->element;

	element->set = look->elements;
	memcpy(element->key, key, nft_set_key_size(look->elements));
	if (look->elements == NFT_PORTS4 || look->elements == NFT_PORTS6) {
		if (memchr(key, '\0', IFNAMSIZ))
			dead_owners_see_interface(&look->dead, owner, (const char *)key);
		return;
	}
	see_port(look, owner, key);
}

static void look_at_element(struct look *look, const struct nlattr *attr)
{
	const struct nlattr *table[NFTA_SET_ELEM_MAX + 1], *key[NFTA_DATA_MAX + 1];
	struct nft_survey *survey = look->survey;
	struct nft_element *old;
	const char *owner;
	const void *value;

	parse_nested(attr, table, NFTA_SET_ELEM_MAX);
	if (!table[NFTA_SET_ELEM_KEY])
		return;
	parse_nested(table[NFTA_SET_ELEM_KEY], key, NFTA_DATA_MAX);
	if (!key[NFTA_DATA_VALUE] ||
	    netlink_attr_size(key[NFTA_DATA_VALUE]) != nft_set_key_size(look->elements))
		return;
	value = netlink_attr_data(key[NFTA_DATA_VALUE]);
	owner = nft_comment_of(table[NFTA_SET_ELEM_USERDATA]);
	if (!(owner && ruleset_has_owner(survey->set, owner)) && !is_added(look, value)) {
		survey->others++;
		if (owner && look->sweeps)
			note_strange_element(look, owner, value);
		return;
	}
	old = array_add(survey->old, survey->old_count);
	old->set = look->elements;
	memcpy(old->key, value, nft_set_key_size(look->elements));
}

static int look_at_elements(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *table[NFTA_SET_ELEM_LIST_MAX + 1], *list, *at = NULL;

	if (!is_message(message, NFT_MSG_NEWSETELEM))
		return 0;
	parse(message, table, NFTA_SET_ELEM_LIST_MAX);
	list = table[NFTA_SET_ELEM_LIST_ELEMENTS];
	while (list && (at = next_entry(list, at)))
		look_at_element(data, at);
	return 0;
}

static int dump_elements(int fd, struct look *look, struct error *err)
{
	int r = 0;

	for (int set = 0; r >= 0 && set < NFT_SETS; set++) {
		struct batch batch = {0};

		look->elements = (enum nft_set)set;
		nft_message(&batch, NFT_MSG_GETSETELEM, 0, NFPROTO_INET);
		batch_attr_string(&batch, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
		batch_attr_string(&batch, NFTA_SET_ELEM_LIST_SET, nft_set_name(look->elements));
		r = netlink_dump(fd, &batch, look_at_elements, look, err);
		batch_done(&batch);
		if (r == -ENOENT) {
			error_clear(err);
			r = 0;
		}
	}
	return r;
}

/* Where the base is not as it should be, or an owner has rules: an older berth was here. */
static bool has_old_form(const struct nft_survey *survey)
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
static int dump_own_rules(int fd, struct look *look, struct error *err)
{
	struct nft_survey *survey = look->survey;
	bool all = ruleset_has_network(survey->set) || (!survey->set->count && !survey->others);
	size_t others = survey->others;
	int r;

	if (!all) {
		r = dump_rules(fd, NFPROTO_INET, NFT_TABLE, NFT_BASE_CHAIN, look, err);
		if (r < 0 || !has_old_form(survey))
			return r;
		forget_rules(survey);
		survey->base = 0;
		survey->others = others;
	}
	return dump_rules(fd, NFPROTO_INET, NFT_TABLE, NULL, look, err);
}

/* What the dead left goes with what the set's owners had. */
static void sweep(struct look *look)
{
	struct nft_survey *survey = look->survey;

	for (size_t i = 0; i < look->stranger_count; i++) {
		struct stranger *stranger = &look->strangers[i];

		if (dead_owners_has(&look->dead, stranger->owner)) {
			survey->others -= stranger->ours;
			if (stranger->is_rule) {
				*array_add(survey->rules, survey->rule_count) = stranger->rule;
				stranger->rule.chain = NULL;
			} else {
				*array_add(survey->old, survey->old_count) = stranger->element;
			}
		}
		free(stranger->rule.chain);
		free(stranger->owner);
	}
	free(look->strangers);
}

int nft_survey_take(int fd, struct nft_survey *survey, bool foreign4, bool foreign6,
		    struct error *err)
{
	struct look look = {.survey = survey, .sweeps = survey->sweeps};
	int r;

	dead_owners_init(&look.dead);
	r = dump_elements(fd, &look, err);
	if (r >= 0)
		r = dump_own_rules(fd, &look, err);
	if (r >= 0 && foreign4)
		r = dump_rules(fd, NFPROTO_IPV4, "filter", "FORWARD", &look, err);
	if (r >= 0 && foreign6)
		r = dump_rules(fd, NFPROTO_IPV6, "filter", "FORWARD", &look, err);
	sweep(&look);
	dead_owners_done(&look.dead);
	return r;
}
