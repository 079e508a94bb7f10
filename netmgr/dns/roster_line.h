/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_DNS_ROSTER_LINE_H
#define NETMGR_DNS_ROSTER_LINE_H

/*
 * roster_line.h - one container's names as a line of a roster's file: a JSON object
 * {"id", "pid", "start_ticks", "names": [...], "ipv4", "ipv6"}.
 *
 * Another version of this program may have written it, so everything in it has bounds.
 */

#include <stdint.h>
#include <sys/types.h>

#include "netmgr/dns/server.h"

#define ROSTER_LINE_MAX  (64 << 10)
#define ROSTER_NAMES_MAX 128

/* A container whose first process this is; while it lives, so do the names. */
struct roster_entry {
	char *container_id;
	char **names;
	pid_t pid;
	uint64_t start_ticks;
	struct in_addr ipv4;
	struct in6_addr ipv6;
	bool has_ipv4, has_ipv6;
};

/* Without a line feed; the caller's to free. What is beyond the bounds is left out. */
char *roster_line(const struct dns_names *names, pid_t pid, uint64_t start_ticks);
/* -EBADMSG: it is none. @ret is the caller's to release in either case. */
int roster_line_parse(const char *line, size_t size, struct roster_entry *ret);
void roster_entry_done(struct roster_entry *entry);

#endif
