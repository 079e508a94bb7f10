/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_DNS_RESOLVERS_H
#define NETMGR_DNS_RESOLVERS_H

/*
 * resolvers.h - whom to ask what we do not know: the host's resolv.conf, read again when it has
 * changed (one stat() a question, so that nothing is watched while nobody asks).
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#define DNS_RESOLVERS_MAX 3

union dns_address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct dns_resolvers;

struct dns_resolvers *dns_resolvers_new(const char *path); /* NULL: /etc/resolv.conf */
void dns_resolvers_free(struct dns_resolvers *resolvers);

/* At least one: without any, 8.8.8.8 and 8.8.4.4, as Docker does. Valid until the next call. */
const union dns_address *dns_resolvers_get(struct dns_resolvers *resolvers, size_t *ret_count);

/* "1.2.3.4", "fe80::1%eth0", with port 53, or ":PORT" behind an IPv4 address or "[v6]". */
bool dns_address_parse(const char *text, union dns_address *ret);
bool dns_address_equal(const union dns_address *a, const union dns_address *b);
socklen_t dns_address_size(const union dns_address *address);

#endif
