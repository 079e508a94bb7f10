/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_FIREWALL_NFT_RULES_H
#define NETMGR_FIREWALL_NFT_RULES_H

/*
 * nft_rules.h - `table inet berth`: what stands in it, as messages of one transaction.
 *
 * A network has rules of its own in our chains. A published port is two elements: its host address
 * and port lead to a container's in a map, and the way there is in a set; so that one more port
 * costs the kernel, and every packet, the same whether there are three or three thousand. The
 * rules that look there, and the jumps between the chains, are the base that every owner needs.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netmgr/firewall/ruleset.h"
#include "netmgr/netlink/batch.h"

#define NFT_TABLE      "berth"
#define NFT_BASE_OWNER "berth"
/* Where the base is looked for: a short chain, since the ports themselves are in the maps. */
#define NFT_BASE_CHAIN "published"
#define NFT_USER_CHAIN "user"

enum nft_set {
	NFT_PUBLISHED4_ON, /* address, protocol, port of the host -> address, port */
	NFT_PUBLISHED6_ON,
	NFT_PUBLISHED4, /* the same of every address of the host */
	NFT_PUBLISHED6,
	NFT_PORTS4, /* bridge, address, protocol, port of a container: let pass */
	NFT_PORTS6,
	NFT_SETS,
};

#define NFT_KEY_MAX  40
#define NFT_DATA_MAX 20

struct nft_element {
	enum nft_set set;
	const char *owner; /* borrowed */
	uint8_t key[NFT_KEY_MAX], data[NFT_DATA_MAX];
};

const char *nft_set_name(enum nft_set set);
size_t nft_set_key_size(enum nft_set set);
/* The element that @rule of a published port is; false: it stays a rule. */
bool nft_element_of(const struct rule *rule, struct nft_element *ret);
void nft_add_element(struct batch *batch, const struct nft_element *element);
void nft_delete_element(struct batch *batch, enum nft_set set, const uint8_t *key);

/* The table with its chains, sets and base; what of it is there already stays. */
void nft_add_base(struct batch *batch);
void nft_delete_table(struct batch *batch);
void nft_add_rule(struct batch *batch, const struct rule *rule);
/*
 * Another table's policy DROP is final whatever ours accepts. The one that is met in practice is
 * that of iptables-nft (Docker's, ufw's) in `FORWARD`: what our chains let pass is accepted at its
 * end, after all that the host's rules say.
 */
bool nft_is_foreign_rule(const struct rule *rule);
void nft_add_foreign_rule(struct batch *batch, const struct rule *rule);

#endif
