/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_FIREWALL_IPTABLES_ENTRY_H
#define NETMGR_FIREWALL_IPTABLES_ENTRY_H

/*
 * iptables_entry.h - one rule in the kernel's binary form, for libip4tc and libip6tc.
 */

#include <libiptc/libip6tc.h>
#include <libiptc/libiptc.h>
#include <netinet/in.h>
#include <stdint.h>

#include "netmgr/firewall/ruleset.h"

struct iptables_entry {
	_Alignas(8) uint8_t bytes[1024];
	size_t size;
};

void iptables_entry_rule(struct iptables_entry *entry, const struct rule *rule);
/* A jump to @chain; @if_local: of what is addressed to the host (but for ::1). */
void iptables_entry_jump(struct iptables_entry *entry, int family, const char *chain, bool if_local,
			 const char *owner);
/* What comes over `lo` returns. */
void iptables_entry_loopback(struct iptables_entry *entry, int family, const char *owner);
/* The owner in an entry's comment, or NULL. */
const char *iptables_entry_owner(int family, const void *entry);
/* What of an entry leads to who its owner was: interfaces (borrowed, or ""), and a host's port. */
struct iptables_trace {
	const char *in, *out;
	uint8_t protocol;
	uint16_t port; /* 0: any */
};
struct iptables_trace iptables_entry_trace(int family, const void *entry);

#endif
