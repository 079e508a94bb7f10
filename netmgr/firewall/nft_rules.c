// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/firewall/nft_rules.h"

#include <assert.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
/* Needs the line before it: the kernel's own idea of addresses then stays away. */
#include <linux/netfilter.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "netmgr/netlink/nft.h"

/* nft's numbers of types, by which it shows sets; six bits each in a concatenation. */
enum { TYPE_IPV4 = 7, TYPE_IPV6 = 8, TYPE_PROTOCOL = 12, TYPE_SERVICE = 13, TYPE_IFNAME = 41 };
#define JOIN(a, b) ((uint32_t)(a) << 6 | (b))

/* Sizes are those of a register each for protocol and port, four for an IPv6 address or a name. */
static const struct {
	const char *name;
	int family;
	uint32_t key_type, data_type;
	uint8_t key_size, data_size;
} sets[NFT_SETS] = {
	[NFT_PUBLISHED4_ON] = {"published4_on", AF_INET,
			       JOIN(JOIN(TYPE_IPV4, TYPE_PROTOCOL), TYPE_SERVICE),
			       JOIN(TYPE_IPV4, TYPE_SERVICE), 12, 8},
	[NFT_PUBLISHED6_ON] = {"published6_on", AF_INET6,
			       JOIN(JOIN(TYPE_IPV6, TYPE_PROTOCOL), TYPE_SERVICE),
			       JOIN(TYPE_IPV6, TYPE_SERVICE), 24, 20},
	[NFT_PUBLISHED4] = {"published4", AF_INET, JOIN(TYPE_PROTOCOL, TYPE_SERVICE),
			    JOIN(TYPE_IPV4, TYPE_SERVICE), 8, 8},
	[NFT_PUBLISHED6] = {"published6", AF_INET6, JOIN(TYPE_PROTOCOL, TYPE_SERVICE),
			    JOIN(TYPE_IPV6, TYPE_SERVICE), 8, 20},
	[NFT_PORTS4] = {"ports4", AF_INET,
			JOIN(JOIN(JOIN(TYPE_IFNAME, TYPE_IPV4), TYPE_PROTOCOL), TYPE_SERVICE), 0,
			28, 0},
	[NFT_PORTS6] = {"ports6", AF_INET6,
			JOIN(JOIN(JOIN(TYPE_IFNAME, TYPE_IPV6), TYPE_PROTOCOL), TYPE_SERVICE), 0,
			40, 0},
};

/* Chain of each enum rule_chain. */
static const char *const chain_names[RULE_CHAINS] = {
	[RULE_RAW] = "guard",         [RULE_ESTABLISHED] = "established",
	[RULE_INTERNAL] = "internal", [RULE_PORTS] = "ports",
	[RULE_DENY] = "deny",         [RULE_LEAVE] = "leave",
	[RULE_DNAT] = NFT_BASE_CHAIN, [RULE_MASQUERADE] = "postrouting",
};

/* In the order of making: a jump leads to what is there. @type NULL: met by jumps only. */
static const struct {
	const char *name, *type;
	uint32_t hook;
	int priority;
} chains[] = {
	{NFT_USER_CHAIN, NULL, 0, 0},
	{"established", NULL, 0, 0},
	{"internal", NULL, 0, 0},
	{"ports", NULL, 0, 0},
	{"deny", NULL, 0, 0},
	{"leave", NULL, 0, 0},
	{NFT_BASE_CHAIN, NULL, 0, 0},
	{"guard", "filter", NF_INET_PRE_ROUTING, -300},
	{"forward", "filter", NF_INET_FORWARD, 0},
	{"prerouting", "nat", NF_INET_PRE_ROUTING, -100},
	{"output", "nat", NF_INET_LOCAL_OUT, -100},
	{"postrouting", "nat", NF_INET_POST_ROUTING, 100},
};

const char *nft_set_name(enum nft_set set)
{
	return sets[set].name;
}

size_t nft_set_key_size(enum nft_set set)
{
	return sets[set].key_size;
}

static size_t address_size(int family)
{
	return family == AF_INET ? 4 : 16;
}

/* Each part begins in a register of its own. */
static uint8_t *put_part(uint8_t *at, const void *part, size_t size)
{
	memcpy(at, part, size);
	return at + (size + 3) / 4 * 4;
}

static uint8_t *put_port(uint8_t *at, uint16_t port)
{
	const uint16_t big_endian = htons(port);

	return put_part(at, &big_endian, sizeof(big_endian));
}

bool nft_element_of(const struct rule *rule, struct nft_element *ret)
{
	size_t size = address_size(rule->family);
	bool six = rule->family == AF_INET6;
	uint8_t *at = ret->key;

	if (rule->chain != RULE_DNAT && rule->chain != RULE_PORTS)
		return false;
	*ret = (struct nft_element){.owner = rule->owner};
	if (rule->chain == RULE_DNAT) {
		bool on = rule->destination.ip.family;

		assert(rule->verdict == RULE_TO);
		ret->set = on ? (six ? NFT_PUBLISHED6_ON : NFT_PUBLISHED4_ON)
			      : (six ? NFT_PUBLISHED6 : NFT_PUBLISHED4);
		if (on)
			at = put_part(at, rule->destination.ip.bytes, size);
		(void)put_port(put_part(ret->data, rule->to.bytes, size), rule->to_port);
	} else {
		assert(rule->verdict == RULE_ACCEPT);
		ret->set = six ? NFT_PORTS6 : NFT_PORTS4;
		at = put_part(at, rule->out, IFNAMSIZ);
		at = put_part(at, rule->destination.ip.bytes, size);
	}
	at = put_part(at, &rule->protocol, sizeof(rule->protocol));
	(void)put_port(at, rule->port);
	return true;
}

static void put_data(struct batch *batch, uint16_t type, const uint8_t *bytes, size_t size)
{
	size_t nest = batch_nest(batch, type);

	batch_attr(batch, NFTA_DATA_VALUE, bytes, size);
	batch_nest_end(batch, nest);
}

/* Begins the message of one element, with its key. */
static void begin_element(struct batch *batch, uint16_t type, uint16_t flags, enum nft_set set,
			  const uint8_t *key, size_t nests[2])
{
	nft_message(batch, type, flags, NFPROTO_INET);
	batch_attr_string(batch, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	batch_attr_string(batch, NFTA_SET_ELEM_LIST_SET, sets[set].name);
	nests[0] = batch_nest(batch, NFTA_SET_ELEM_LIST_ELEMENTS);
	nests[1] = batch_nest(batch, NFTA_LIST_ELEM);
	put_data(batch, NFTA_SET_ELEM_KEY, key, sets[set].key_size);
}

static void end_element(struct batch *batch, const size_t nests[2])
{
	batch_nest_end(batch, nests[1]);
	batch_nest_end(batch, nests[0]);
}

void nft_add_element(struct batch *batch, const struct nft_element *element)
{
	size_t data_size = sets[element->set].data_size, nests[2];

	begin_element(batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE, element->set, element->key, nests);
	if (data_size)
		put_data(batch, NFTA_SET_ELEM_DATA, element->data, data_size);
	nft_comment(batch, NFTA_SET_ELEM_USERDATA, element->owner);
	end_element(batch, nests);
}

void nft_delete_element(struct batch *batch, enum nft_set set, const uint8_t *key)
{
	size_t nests[2];

	begin_element(batch, NFT_MSG_DELSETELEM, 0, set, key, nests);
	end_element(batch, nests);
}

static size_t begin_rule(struct batch *batch, uint8_t family, const char *table, const char *chain)
{
	nft_message(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, family);
	batch_attr_string(batch, NFTA_RULE_TABLE, table);
	batch_attr_string(batch, NFTA_RULE_CHAIN, chain);
	return batch_nest(batch, NFTA_RULE_EXPRESSIONS);
}

static void end_rule(struct batch *batch, size_t expressions, const char *owner)
{
	batch_nest_end(batch, expressions);
	nft_comment(batch, NFTA_RULE_USERDATA, owner);
}

static void match_family(struct batch *batch, int family)
{
	const uint8_t value = family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;

	nft_load_meta(batch, 0, NFT_META_NFPROTO);
	nft_compare(batch, 0, true, &value, sizeof(value));
}

static void match_interface(struct batch *batch, uint32_t key, const char *name, bool negated)
{
	char padded[IFNAMSIZ] = {0};

	if (!name[0])
		return;
	memcpy(padded, name, strnlen(name, IFNAMSIZ - 1));
	nft_load_meta(batch, 0, key);
	nft_compare(batch, 0, !negated, padded, sizeof(padded));
}

static uint32_t address_offset(int family, bool destination)
{
	if (family == AF_INET)
		return destination ? 16 : 12;
	return destination ? 24 : 8;
}

static void match_subnet(struct batch *batch, const struct subnet *subnet, bool destination,
			 bool negated)
{
	size_t size = address_size(subnet->ip.family);
	uint8_t mask[16] = {0};

	if (!subnet->ip.family)
		return;
	nft_load_payload(batch, 0, NFT_PAYLOAD_NETWORK_HEADER,
			 address_offset(subnet->ip.family, destination), (uint32_t)size);
	for (unsigned int bit = 0; bit < subnet->prefix; bit++)
		mask[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	if (subnet->prefix < size * 8)
		nft_mask(batch, 0, mask, size);
	nft_compare(batch, 0, !negated, subnet->ip.bytes, size);
}

/* True when one of the bits is set. */
static void match_flow(struct batch *batch, uint32_t key, uint32_t bits)
{
	const uint32_t none = 0;

	nft_load_ct(batch, 0, key);
	nft_mask(batch, 0, &bits, sizeof(bits));
	nft_compare(batch, 0, false, &none, sizeof(none));
}

static void put_verdict(struct batch *batch, enum rule_verdict verdict)
{
	static const int codes[] = {
		[RULE_ACCEPT] = NF_ACCEPT, [RULE_DROP] = NF_DROP, [RULE_RETURN] = NFT_RETURN};

	if (verdict == RULE_AS_HOST)
		nft_masquerade(batch);
	else
		nft_verdict(batch, codes[verdict], NULL);
}

void nft_add_rule(struct batch *batch, const struct rule *rule)
{
	/* Of the kernel's bits: IP_CT_ESTABLISHED and IP_CT_RELATED, each one further left. */
	const uint32_t answered = 1 << (IP_CT_ESTABLISHED + 1) | 1 << (IP_CT_RELATED + 1);
	size_t list = begin_rule(batch, NFPROTO_INET, NFT_TABLE, chain_names[rule->chain]);

	assert(!rule->port && rule->verdict != RULE_TO);
	match_family(batch, rule->family);
	match_interface(batch, NFT_META_IIFNAME, rule->in, rule->not_in);
	match_interface(batch, NFT_META_OIFNAME, rule->out, rule->not_out);
	match_subnet(batch, &rule->source, false, rule->not_source);
	match_subnet(batch, &rule->destination, true, rule->not_destination);
	if (rule->established)
		match_flow(batch, NFT_CT_STATE, answered);
	if (rule->redirected)
		match_flow(batch, NFT_CT_STATUS, IPS_DST_NAT);
	put_verdict(batch, rule->verdict);
	end_rule(batch, list, rule->owner);
}

bool nft_is_foreign_rule(const struct rule *rule)
{
	return rule->chain == RULE_ESTABLISHED || rule->chain == RULE_LEAVE;
}

void nft_add_foreign_rule(struct batch *batch, const struct rule *rule)
{
	uint8_t family = rule->family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;
	size_t list;

	if (!nft_is_foreign_rule(rule))
		return;
	list = begin_rule(batch, family, "filter", "FORWARD");
	if (rule->chain == RULE_ESTABLISHED)
		match_interface(batch, NFT_META_OIFNAME, rule->out, false);
	else
		match_interface(batch, NFT_META_IIFNAME, rule->in, false);
	nft_verdict(batch, NF_ACCEPT, NULL);
	end_rule(batch, list, rule->owner);
}

static void add_chain(struct batch *batch, size_t i)
{
	size_t hook;

	nft_message(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE, NFPROTO_INET);
	batch_attr_string(batch, NFTA_CHAIN_TABLE, NFT_TABLE);
	batch_attr_string(batch, NFTA_CHAIN_NAME, chains[i].name);
	if (str_equal(chains[i].name, NFT_USER_CHAIN))
		nft_comment(batch, NFTA_CHAIN_USERDATA, "yours: berth never writes here");
	if (!chains[i].type)
		return;
	hook = batch_nest(batch, NFTA_CHAIN_HOOK);
	nft_be32(batch, NFTA_HOOK_HOOKNUM, chains[i].hook);
	nft_be32(batch, NFTA_HOOK_PRIORITY, (uint32_t)chains[i].priority);
	batch_nest_end(batch, hook);
	nft_be32(batch, NFTA_CHAIN_POLICY, NF_ACCEPT);
	batch_attr_string(batch, NFTA_CHAIN_TYPE, chains[i].type);
}

static void add_set(struct batch *batch, enum nft_set set)
{
	nft_message(batch, NFT_MSG_NEWSET, NLM_F_CREATE, NFPROTO_INET);
	batch_attr_string(batch, NFTA_SET_TABLE, NFT_TABLE);
	batch_attr_string(batch, NFTA_SET_NAME, sets[set].name);
	nft_be32(batch, NFTA_SET_ID, (uint32_t)set + 1);
	nft_be32(batch, NFTA_SET_FLAGS, sets[set].data_size ? NFT_SET_MAP : 0);
	nft_be32(batch, NFTA_SET_KEY_TYPE, sets[set].key_type);
	nft_be32(batch, NFTA_SET_KEY_LEN, sets[set].key_size);
	if (!sets[set].data_size)
		return;
	nft_be32(batch, NFTA_SET_DATA_TYPE, sets[set].data_type);
	nft_be32(batch, NFTA_SET_DATA_LEN, sets[set].data_size);
}

/* Loads the rest of a key: protocol and destination's port. */
static void load_service(struct batch *batch, unsigned int reg)
{
	nft_load_meta(batch, reg, NFT_META_L4PROTO);
	nft_load_payload(batch, reg + 1, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
}

/* A port of the host leads where its map says. */
static void add_published(struct batch *batch, enum nft_set set, bool on)
{
	int family = sets[set].family;
	unsigned int address_regs = (unsigned int)address_size(family) / 4, reg = 0;
	size_t list = begin_rule(batch, NFPROTO_INET, NFT_TABLE, NFT_BASE_CHAIN);

	match_family(batch, family);
	if (on) {
		nft_load_payload(batch, 0, NFT_PAYLOAD_NETWORK_HEADER, address_offset(family, true),
				 (uint32_t)address_size(family));
		reg = address_regs;
	}
	load_service(batch, reg);
	nft_lookup(batch, 0, sets[set].name, true);
	nft_destination_nat(batch, family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6, 0,
			    address_regs);
	end_rule(batch, list, NFT_BASE_OWNER);
}

/* What is on its way to a published port of a container may pass. */
static void add_ports(struct batch *batch, enum nft_set set)
{
	int family = sets[set].family;
	unsigned int name_regs = IFNAMSIZ / 4;
	size_t list = begin_rule(batch, NFPROTO_INET, NFT_TABLE, chain_names[RULE_PORTS]);

	match_family(batch, family);
	nft_load_meta(batch, 0, NFT_META_OIFNAME);
	nft_load_payload(batch, name_regs, NFT_PAYLOAD_NETWORK_HEADER, address_offset(family, true),
			 (uint32_t)address_size(family));
	load_service(batch, name_regs + (unsigned int)address_size(family) / 4);
	nft_lookup(batch, 0, sets[set].name, false);
	nft_verdict(batch, NF_ACCEPT, NULL);
	end_rule(batch, list, NFT_BASE_OWNER);
}

static void add_jump(struct batch *batch, const char *from, const char *to, bool if_local)
{
	size_t list = begin_rule(batch, NFPROTO_INET, NFT_TABLE, from);
	const uint32_t local = RTN_LOCAL;

	if (if_local) {
		nft_load_destination_type(batch, 0);
		nft_compare(batch, 0, true, &local, sizeof(local));
	}
	nft_verdict(batch, NFT_JUMP, to);
	end_rule(batch, list, NFT_BASE_OWNER);
}

static void add_guards(struct batch *batch)
{
	const struct subnet loopback6 = {.ip = ip_of6(in6addr_loopback), .prefix = 128};
	size_t list = begin_rule(batch, NFPROTO_INET, NFT_TABLE, "guard");

	match_interface(batch, NFT_META_IIFNAME, "lo", false);
	nft_verdict(batch, NFT_RETURN, NULL);
	end_rule(batch, list, NFT_BASE_OWNER);
	/* ::1 cannot be led elsewhere: the proxy has it. */
	list = begin_rule(batch, NFPROTO_INET, NFT_TABLE, "output");
	match_family(batch, AF_INET6);
	match_subnet(batch, &loopback6, true, false);
	nft_verdict(batch, NFT_RETURN, NULL);
	end_rule(batch, list, NFT_BASE_OWNER);
}

void nft_add_base(struct batch *batch)
{
	static const char *const forward[] = {NFT_USER_CHAIN, "established", "internal",
					      "ports",        "deny",        "leave"};

	nft_message(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, NFPROTO_INET);
	batch_attr_string(batch, NFTA_TABLE_NAME, NFT_TABLE);
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
		add_chain(batch, i);
	for (int set = 0; set < NFT_SETS; set++)
		add_set(batch, (enum nft_set)set);
	add_guards(batch);
	array_foreach(chain, forward) {
		add_jump(batch, "forward", *chain, false);
	}
	add_jump(batch, "prerouting", NFT_BASE_CHAIN, true);
	add_jump(batch, "output", NFT_BASE_CHAIN, true);
	add_published(batch, NFT_PUBLISHED4_ON, true);
	add_published(batch, NFT_PUBLISHED6_ON, true);
	add_published(batch, NFT_PUBLISHED4, false);
	add_published(batch, NFT_PUBLISHED6, false);
	add_ports(batch, NFT_PORTS4);
	add_ports(batch, NFT_PORTS6);
}

void nft_delete_table(struct batch *batch)
{
	nft_message(batch, NFT_MSG_DELTABLE, 0, NFPROTO_INET);
	batch_attr_string(batch, NFTA_TABLE_NAME, NFT_TABLE);
}
