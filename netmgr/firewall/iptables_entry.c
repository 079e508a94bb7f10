// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/firewall/iptables_entry.h"

#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_sctp.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <stdio.h>
#include <string.h>

static size_t head_size(int family)
{
	return family == AF_INET ? XT_ALIGN(sizeof(struct ipt_entry))
				 : XT_ALIGN(sizeof(struct ip6t_entry));
}

static void begin(struct iptables_entry *entry, int family)
{
	memset(entry->bytes, 0, sizeof(entry->bytes));
	entry->size = head_size(family);
}

/* Both a match and a target: the structures are of one layout. Returns where its data is. */
static void *put_extension(struct iptables_entry *entry, const char *name, uint8_t revision,
			   size_t size)
{
	struct xt_entry_match *match = (struct xt_entry_match *)(entry->bytes + entry->size);

	match->u.user.match_size = XT_ALIGN(sizeof(*match)) + XT_ALIGN(size);
	snprintf(match->u.user.name, sizeof(match->u.user.name), "%s", name);
	match->u.user.revision = revision;
	entry->size += match->u.user.match_size;
	return match->data;
}

static void put_comment(struct iptables_entry *entry, const char *owner)
{
	struct xt_comment_info *info =
		put_extension(entry, "comment", 0, sizeof(struct xt_comment_info));

	snprintf(info->comment, sizeof(info->comment), "%s", owner);
}

/* Ends the matches; the target follows. */
static void end_matches(struct iptables_entry *entry, int family)
{
	if (family == AF_INET)
		((struct ipt_entry *)entry->bytes)->target_offset = entry->size;
	else
		((struct ip6t_entry *)entry->bytes)->target_offset = entry->size;
}

static void end_entry(struct iptables_entry *entry, int family)
{
	if (family == AF_INET)
		((struct ipt_entry *)entry->bytes)->next_offset = entry->size;
	else
		((struct ip6t_entry *)entry->bytes)->next_offset = entry->size;
}

/* ACCEPT, DROP, RETURN or one of our chains: libiptc makes the verdict of the name. */
static void put_verdict(struct iptables_entry *entry, const char *name)
{
	put_extension(entry, name, 0,
		      sizeof(struct xt_standard_target) - sizeof(struct xt_entry_target));
}

static void put_interface(char *name, unsigned char *mask, const char *value)
{
	size_t size = strlen(value);

	if (!size)
		return;
	memcpy(name, value, size + 1);
	memset(mask, 0xff, size + 1);
}

static void put_subnet(const struct subnet *subnet, void *address, void *mask)
{
	struct subnet ones = *subnet;

	if (!subnet->ip.family)
		return;
	memset(ones.ip.bytes, 0xff, sizeof(ones.ip.bytes));
	ones = subnet_of(&ones.ip, subnet->prefix);
	memcpy(address, subnet->ip.bytes, ip_bits(subnet->ip.family) / 8);
	memcpy(mask, ones.ip.bytes, ip_bits(subnet->ip.family) / 8);
}

static void put_head4(struct ipt_entry *entry, const struct rule *rule)
{
	put_interface(entry->ip.iniface, entry->ip.iniface_mask, rule->in);
	put_interface(entry->ip.outiface, entry->ip.outiface_mask, rule->out);
	put_subnet(&rule->source, &entry->ip.src, &entry->ip.smsk);
	put_subnet(&rule->destination, &entry->ip.dst, &entry->ip.dmsk);
	entry->ip.proto = rule->protocol;
	entry->ip.invflags = (rule->not_in ? IPT_INV_VIA_IN : 0) |
			     (rule->not_out ? IPT_INV_VIA_OUT : 0) |
			     (rule->not_source ? IPT_INV_SRCIP : 0) |
			     (rule->not_destination ? IPT_INV_DSTIP : 0);
}

static void put_head6(struct ip6t_entry *entry, const struct rule *rule)
{
	put_interface(entry->ipv6.iniface, entry->ipv6.iniface_mask, rule->in);
	put_interface(entry->ipv6.outiface, entry->ipv6.outiface_mask, rule->out);
	put_subnet(&rule->source, &entry->ipv6.src, &entry->ipv6.smsk);
	put_subnet(&rule->destination, &entry->ipv6.dst, &entry->ipv6.dmsk);
	entry->ipv6.proto = rule->protocol;
	entry->ipv6.flags = rule->protocol ? IP6T_F_PROTO : 0;
	entry->ipv6.invflags = (rule->not_in ? IP6T_INV_VIA_IN : 0) |
			       (rule->not_out ? IP6T_INV_VIA_OUT : 0) |
			       (rule->not_source ? IP6T_INV_SRCIP : 0) |
			       (rule->not_destination ? IP6T_INV_DSTIP : 0);
}

static void put_port(struct iptables_entry *entry, uint8_t protocol, uint16_t port)
{
	if (protocol == IPPROTO_TCP) {
		struct xt_tcp *tcp = put_extension(entry, "tcp", 0, sizeof(*tcp));

		tcp->spts[1] = UINT16_MAX;
		tcp->dpts[0] = tcp->dpts[1] = port;
	} else if (protocol == IPPROTO_UDP) {
		struct xt_udp *udp = put_extension(entry, "udp", 0, sizeof(*udp));

		udp->spts[1] = UINT16_MAX;
		udp->dpts[0] = udp->dpts[1] = port;
	} else {
		struct xt_sctp_info *sctp = put_extension(entry, "sctp", 0, sizeof(*sctp));

		sctp->spts[1] = UINT16_MAX;
		sctp->dpts[0] = sctp->dpts[1] = port;
		sctp->flags = XT_SCTP_DEST_PORTS;
	}
}

static void put_state(struct iptables_entry *entry, uint16_t mask)
{
	struct xt_conntrack_mtinfo3 *info = put_extension(entry, "conntrack", 3, sizeof(*info));

	info->match_flags = XT_CONNTRACK_STATE;
	info->state_mask = mask;
}

static void put_matches(struct iptables_entry *entry, const struct rule *rule)
{
	if (rule->port)
		put_port(entry, rule->protocol, rule->port);
	if (rule->established)
		put_state(entry, XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED) |
					 XT_CONNTRACK_STATE_BIT(IP_CT_RELATED));
	if (rule->redirected)
		put_state(entry, XT_CONNTRACK_STATE_DNAT);
	put_comment(entry, rule->owner);
}

static void put_nat4(struct iptables_entry *entry, const struct rule *rule)
{
	struct nf_nat_ipv4_multi_range_compat *range;

	range = put_extension(entry, rule->verdict == RULE_TO ? "DNAT" : "MASQUERADE", 0,
			      sizeof(*range));
	range->rangesize = 1;
	if (rule->verdict != RULE_TO)
		return;
	range->range[0].flags = NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED;
	range->range[0].min_ip = range->range[0].max_ip = ip_to4(&rule->to).s_addr;
	range->range[0].min.all = range->range[0].max.all = htons(rule->to_port);
}

static void put_nat6(struct iptables_entry *entry, const struct rule *rule)
{
	bool to = rule->verdict == RULE_TO;
	struct nf_nat_range *range;

	range = put_extension(entry, to ? "DNAT" : "MASQUERADE", to ? 1 : 0, sizeof(*range));
	if (!to)
		return;
	range->flags = NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED;
	range->min_addr.in6 = range->max_addr.in6 = ip_to6(&rule->to);
	range->min_proto.all = range->max_proto.all = htons(rule->to_port);
}

static void put_target(struct iptables_entry *entry, const struct rule *rule)
{
	static const char *const names[] = {
		[RULE_ACCEPT] = "ACCEPT", [RULE_DROP] = "DROP", [RULE_RETURN] = "RETURN"};

	if (rule->verdict <= RULE_RETURN)
		put_verdict(entry, names[rule->verdict]);
	else if (rule->family == AF_INET)
		put_nat4(entry, rule);
	else
		put_nat6(entry, rule);
}

void iptables_entry_rule(struct iptables_entry *entry, const struct rule *rule)
{
	begin(entry, rule->family);
	if (rule->family == AF_INET)
		put_head4((struct ipt_entry *)entry->bytes, rule);
	else
		put_head6((struct ip6t_entry *)entry->bytes, rule);
	put_matches(entry, rule);
	end_matches(entry, rule->family);
	put_target(entry, rule);
	end_entry(entry, rule->family);
}

void iptables_entry_jump(struct iptables_entry *entry, int family, const char *chain, bool if_local,
			 const char *owner)
{
	struct rule head = {.family = family};

	begin(entry, family);
	/* A packet from ::1 cannot leave the host, so ::1 is not redirected but proxied. */
	if (if_local && family == AF_INET6) {
		(void)subnet_parse("::1/128", &head.destination);
		head.not_destination = true;
		put_head6((struct ip6t_entry *)entry->bytes, &head);
	}
	if (if_local) {
		struct xt_addrtype_info_v1 *info =
			put_extension(entry, "addrtype", 1, sizeof(*info));

		info->dest = XT_ADDRTYPE_LOCAL;
	}
	put_comment(entry, owner);
	end_matches(entry, family);
	put_verdict(entry, chain);
	end_entry(entry, family);
}

void iptables_entry_loopback(struct iptables_entry *entry, int family, const char *owner)
{
	struct rule rule = {.family = family, .verdict = RULE_RETURN, .in = "lo", .owner = owner};

	iptables_entry_rule(entry, &rule);
}

/* Its match of this name, or NULL. */
static const struct xt_entry_match *match_of(int family, const void *entry, const char *name)
{
	size_t end = family == AF_INET ? ((const struct ipt_entry *)entry)->target_offset
				       : ((const struct ip6t_entry *)entry)->target_offset;

	for (size_t at = head_size(family); at < end;) {
		const struct xt_entry_match *match =
			(const struct xt_entry_match *)((const uint8_t *)entry + at);

		if (!strcmp(match->u.user.name, name))
			return match;
		if (!match->u.user.match_size)
			break;
		at += match->u.user.match_size;
	}
	return NULL;
}

const char *iptables_entry_owner(int family, const void *entry)
{
	const struct xt_entry_match *match = match_of(family, entry, "comment");

	return match ? ((const struct xt_comment_info *)match->data)->comment : NULL;
}

struct iptables_trace iptables_entry_trace(int family, const void *entry)
{
	const struct ipt_ip *ip4 = &((const struct ipt_entry *)entry)->ip;
	const struct ip6t_ip6 *ip6 = &((const struct ip6t_entry *)entry)->ipv6;
	struct iptables_trace trace = {ip4->iniface, ip4->outiface, (uint8_t)ip4->proto, 0};
	const struct xt_entry_match *match;

	if (family == AF_INET6)
		trace = (struct iptables_trace){ip6->iniface, ip6->outiface, (uint8_t)ip6->proto,
						0};
	if ((match = match_of(family, entry, "tcp")))
		trace.port = ((const struct xt_tcp *)match->data)->dpts[0];
	else if ((match = match_of(family, entry, "udp")))
		trace.port = ((const struct xt_udp *)match->data)->dpts[0];
	else if ((match = match_of(family, entry, "sctp")))
		trace.port = ((const struct xt_sctp_info *)match->data)->dpts[0];
	return trace;
}
