/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_IP_H
#define NETMGR_IP_H

/*
 * ip.h - addresses and subnets of both families as numbers: parsed, printed, compared, counted.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct ipaddr {
	int family;        /* AF_INET, AF_INET6; 0: none */
	uint8_t bytes[16]; /* network order; IPv4 in the first four */
};

struct subnet {
	struct ipaddr ip; /* host bits are 0 */
	unsigned int prefix;
};

#define SUBNET_TEXT_MAX (INET6_ADDRSTRLEN + 4)

unsigned int ip_bits(int family);                   /* 32, 128 */
int ip_parse(const char *text, struct ipaddr *ret); /* 0 or -EINVAL */
const char *ip_format(const struct ipaddr *ip, char buffer[INET6_ADDRSTRLEN]);
bool ip_equal(const struct ipaddr *a, const struct ipaddr *b);
int ip_compare(const struct ipaddr *a, const struct ipaddr *b);
struct ipaddr ip_of4(struct in_addr address);
struct ipaddr ip_of6(struct in6_addr address);
struct ipaddr ip_from_bytes(int family, const void *bytes);
struct in_addr ip_to4(const struct ipaddr *ip);
struct in6_addr ip_to6(const struct ipaddr *ip);
/* @ip + @n, wrapping at the end of the family. */
struct ipaddr ip_add(const struct ipaddr *ip, uint64_t n);

/* "10.1.0.0/16"; host bits are cleared. -EINVAL. */
int subnet_parse(const char *text, struct subnet *ret);
const char *subnet_format(const struct subnet *subnet, char buffer[SUBNET_TEXT_MAX]);
struct subnet subnet_of(const struct ipaddr *ip, unsigned int prefix);
bool subnet_contains(const struct subnet *subnet, const struct ipaddr *ip);
bool subnet_overlaps(const struct subnet *a, const struct subnet *b);
struct ipaddr subnet_last(const struct subnet *subnet); /* IPv4: its broadcast address */
/* Addresses in it, at most UINT32_MAX. */
uint64_t subnet_size(const struct subnet *subnet);

#endif
