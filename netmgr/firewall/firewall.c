// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/firewall/firewall.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/str.h"

#include "netmgr/firewall/conntrack.h"
#include "netmgr/firewall/ruleset.h"

static const struct firewall_backend *backend;
static bool decided;

/*
 * Two rule engines on one host see the same packets, and a DROP in either is final: so our ACCEPTs
 * stand beside the rules that could drop.
 */
static const struct firewall_backend *choose_backend(void)
{
	const char *wish = getenv("BERTH_FIREWALL");
	enum firewall_use legacy, nft;

	if (str_equal(wish, "none"))
		return NULL;
	if (str_equal(wish, "iptables"))
		return &firewall_iptables;
	if (str_equal(wish, "nftables"))
		return &firewall_nftables;
	legacy = iptables_in_use();
	nft = nftables_in_use();
	if (legacy == FIREWALL_OURS || nft == FIREWALL_OURS)
		return legacy == FIREWALL_OURS ? &firewall_iptables : &firewall_nftables;
	if (legacy == FIREWALL_OTHERS)
		return &firewall_iptables;
	return nftables_works() ? &firewall_nftables : &firewall_iptables;
}

static const struct firewall_backend *chosen(void)
{
	if (!decided)
		backend = choose_backend();
	decided = true;
	return backend;
}

const char *firewall_backend(void)
{
	return chosen() ? chosen()->name : "none";
}

static int check_owner(const char *owner, struct error *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.:-";

	if (strlen(owner) > 100 || owner[strspn(owner, allowed)])
		return error_set(err, EINVAL, "firewall: '%.100s' cannot own rules", owner);
	return 0;
}

static int commit(struct ruleset *set, struct error *err)
{
	int r = 0;

	if (set->owner_count && chosen())
		r = chosen()->commit(set, err);
	ruleset_done(set);
	return r < 0 ? error_wrap(err, "firewall rules") : r;
}

static void add_port(struct ruleset *set, const struct publish *port, const struct ipaddr *to)
{
	struct rule rule = {
		.family = to->family, .protocol = port->protocol, .port = port->host_port};
	struct ipaddr host;

	if (port->host_ip[0]) {
		if (ip_parse(port->host_ip, &host) < 0 || host.family != to->family)
			return;
		if (!ip_equal(&host, &(struct ipaddr){.family = host.family}))
			rule.destination = subnet_of(&host, ip_bits(host.family));
	}
	rule.chain = RULE_DNAT;
	rule.verdict = RULE_TO;
	rule.to = *to;
	rule.to_port = port->container_port;
	ruleset_add(set, rule);

	rule = (struct rule){.chain = RULE_PORTS,
			     .verdict = RULE_ACCEPT,
			     .family = to->family,
			     .destination = subnet_of(to, ip_bits(to->family)),
			     .protocol = port->protocol,
			     .port = port->container_port};
	strcpy(rule.out, port->bridge);
	ruleset_add(set, rule);
}

/* The ports work without; only who talked to what was there before has to wait a while. */
static void forget_flows(const struct firewall_change *change)
{
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < change->port_count; i++)
		if (conntrack_forget(&change->ports[i], &err) < 0) {
			log_debug("%s: %s", change->owner, err.message);
			error_clear(&err);
		}
}

int firewall_publish(const struct firewall_change *changes, size_t count, struct error *err)
{
	struct ruleset set = {0};

	for (size_t i = 0; i < count; i++) {
		const struct firewall_change *change = &changes[i];

		if (check_owner(change->owner, err) < 0) {
			ruleset_done(&set);
			return -err->code;
		}
		ruleset_add_owner(&set, change->owner);
		for (size_t j = 0; j < change->port_count; j++) {
			const struct publish *port = &change->ports[j];
			struct ipaddr ip4 = ip_of4(port->ipv4), ip6 = ip_of6(port->ipv6);

			if (port->has_ipv4)
				add_port(&set, port, &ip4);
			if (port->has_ipv6)
				add_port(&set, port, &ip6);
		}
	}
	if (commit(&set, err) < 0)
		return -err->code;
	for (size_t i = 0; i < count; i++)
		forget_flows(&changes[i]);
	return 0;
}

/* What may come in, go out, and pass between two containers. */
static void add_forward(struct ruleset *set, const struct firewall_network *network,
			const struct subnet *subnet)
{
	struct rule into = {.family = subnet->ip.family}, from = into, within = into;

	strcpy(into.out, network->bridge);
	strcpy(from.in, network->bridge);
	strcpy(within.in, network->bridge);
	strcpy(within.out, network->bridge);
	if (network->internal) {
		into.chain = from.chain = RULE_INTERNAL;
		into.verdict = from.verdict = RULE_DROP;
		into.not_source = from.not_destination = true;
		into.source = from.destination = *subnet;
		ruleset_add(set, into);
		ruleset_add(set, from);
		into.source = from.destination = (struct subnet){0};
	}
	into.chain = RULE_ESTABLISHED;
	into.verdict = RULE_ACCEPT;
	into.established = true;
	ruleset_add(set, into);

	within.chain = RULE_DENY;
	within.verdict = network->icc ? RULE_ACCEPT : RULE_DROP;
	ruleset_add(set, within);
	into.chain = RULE_DENY;
	into.verdict = network->direct ? RULE_ACCEPT : RULE_DROP;
	into.established = false;
	ruleset_add(set, into);

	from.chain = RULE_LEAVE;
	from.verdict = RULE_ACCEPT;
	ruleset_add(set, from);
}

/* Whose addresses packets bear, on the way in and on the way out. */
static void add_addresses(struct ruleset *set, const struct firewall_network *network,
			  const struct subnet *subnet, const struct ipaddr *gateway)
{
	struct rule rule = {.family = subnet->ip.family, .chain = RULE_RAW};

	/* Without masquerading answers from outside bear the container's address: they must pass.
	 */
	if (!network->direct && (network->masquerade || network->internal)) {
		rule.destination = subnet_of(gateway, ip_bits(gateway->family));
		rule.verdict = RULE_RETURN;
		if (gateway->family)
			ruleset_add(set, rule);
		rule.destination = *subnet;
		for (size_t i = 0; i < ARRAY_SIZE(network->trusted); i++) {
			if (!network->trusted[i][0])
				continue;
			strcpy(rule.in, network->trusted[i]);
			ruleset_add(set, rule);
		}
		rule.verdict = RULE_DROP;
		strcpy(rule.in, network->bridge);
		rule.not_in = true;
		ruleset_add(set, rule);
	}
	rule = (struct rule){.family = subnet->ip.family, .chain = RULE_MASQUERADE};
	rule.verdict = RULE_AS_HOST;
	strcpy(rule.out, network->bridge);
	rule.source = *subnet;
	/* From a container to a port of the host that leads into its own network. */
	rule.redirected = true;
	ruleset_add(set, rule);
	rule.redirected = false;
	rule.not_out = true;
	if (network->masquerade && !network->internal)
		ruleset_add(set, rule);
}

/*
 * 127.0.0.1:PORT leads into the container, which needs route_localnet on the bridge, which lets
 * packets with loopback addresses in: so they are dropped first.
 */
static void add_loopback(struct ruleset *set, const struct firewall_network *network)
{
	struct rule guard = {.family = AF_INET, .chain = RULE_RAW, .verdict = RULE_DROP}, rule;
	struct subnet loopback;

	(void)subnet_parse("127.0.0.0/8", &loopback);
	strcpy(guard.in, network->bridge);
	guard.destination = loopback;
	ruleset_add(set, guard);
	guard.destination = (struct subnet){0};
	guard.source = loopback;
	ruleset_add(set, guard);

	rule = (struct rule){.family = AF_INET, .chain = RULE_MASQUERADE};
	rule.verdict = RULE_AS_HOST;
	rule.source = loopback;
	strcpy(rule.out, network->bridge);
	ruleset_add(set, rule);
}

static int commit_networks(const struct firewall_network_change *changes, size_t count, bool mend,
			   struct error *err)
{
	struct ruleset set = {.mend = mend};

	for (size_t i = 0; i < count; i++) {
		const struct firewall_network *network = changes[i].network;

		if (check_owner(changes[i].owner, err) < 0) {
			ruleset_done(&set);
			return -err->code;
		}
		ruleset_add_owner(&set, changes[i].owner);
		if (!network)
			continue;
		if (network->subnet4.ip.family) {
			add_loopback(&set, network);
			add_forward(&set, network, &network->subnet4);
			add_addresses(&set, network, &network->subnet4, &network->gateway4);
		}
		if (network->subnet6.ip.family) {
			add_forward(&set, network, &network->subnet6);
			add_addresses(&set, network, &network->subnet6, &network->gateway6);
		}
	}
	return commit(&set, err);
}

int firewall_networks(const struct firewall_network_change *changes, size_t count,
		      struct error *err)
{
	int r = commit_networks(changes, count, false, err);

	return r < 0 ? r : 0;
}

int firewall_networks_mend(const struct firewall_network_change *changes, size_t count,
			   struct error *err)
{
	return commit_networks(changes, count, true, err);
}
