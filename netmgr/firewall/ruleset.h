/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_FIREWALL_RULESET_H
#define NETMGR_FIREWALL_RULESET_H

/*
 * ruleset.h - rules as data: what the backends render.
 *
 * A forwarded packet meets our chains in the order of enum rule_chain; the first verdict counts.
 * That order is what keeps networks apart: one network's permission to leave (RULE_LEAVE) comes
 * after every network's refusal of strangers (RULE_DENY).
 */

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#include "netmgr/ip.h"

enum rule_chain {
	RULE_RAW,         /* prerouting, before connection tracking */
	RULE_ESTABLISHED, /* forward: answers to what was let out */
	RULE_INTERNAL,    /* forward: networks without a way out */
	RULE_PORTS,       /* forward: published ports */
	RULE_DENY,        /* forward: nothing else gets into a network */
	RULE_LEAVE,       /* forward: what starts in a network may leave it */
	RULE_DNAT,        /* prerouting and output, addressed to the host */
	RULE_MASQUERADE,  /* postrouting */
	RULE_CHAINS,
};

enum rule_verdict { RULE_ACCEPT, RULE_DROP, RULE_RETURN, RULE_TO, RULE_AS_HOST };

struct rule {
	const char *owner; /* borrowed */
	enum rule_chain chain;
	enum rule_verdict verdict;
	int family;                       /* AF_INET, AF_INET6 */
	char in[IFNAMSIZ], out[IFNAMSIZ]; /* "": any */
	bool not_in, not_out;
	struct subnet source, destination; /* family 0: any */
	bool not_source, not_destination;
	uint8_t protocol; /* 0: any */
	uint16_t port;    /* destination's */
	bool established; /* and related */
	bool redirected;  /* went through RULE_TO */
	struct ipaddr to; /* RULE_TO */
	uint16_t to_port;
};

struct ruleset {
	const char **owners; /* whose rules are replaced; borrowed strings */
	size_t owner_count;
	struct rule *rules;
	size_t count;
	bool mend; /* only where a rule of theirs is missing in the kernel */
};

void ruleset_add_owner(struct ruleset *set, const char *owner);
/* A copy of @rule for the owner added last. */
void ruleset_add(struct ruleset *set, struct rule rule);
bool ruleset_has_owner(const struct ruleset *set, const char *owner);
/* True when an owner is a network: only those have rules outside of filter and nat. */
bool ruleset_has_network(const struct ruleset *set);
void ruleset_done(struct ruleset *set);

struct firewall_backend {
	const char *name;
	/* Replaces what the owners have by the set's rules: all of it or nothing. 1: it did. */
	int (*commit)(const struct ruleset *set, struct error *err);
};

extern const struct firewall_backend firewall_iptables, firewall_nftables;

/* What of each kind the host has in use; our own tables and chains are told apart. */
enum firewall_use { FIREWALL_UNUSED, FIREWALL_OTHERS, FIREWALL_OURS };
enum firewall_use iptables_in_use(void);
enum firewall_use nftables_in_use(void);
bool nftables_works(void);

#endif
