// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/ip.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned int ip_bits(int family)
{
	return family == AF_INET6 ? 128 : 32;
}

int ip_parse(const char *text, struct ipaddr *ret)
{
	*ret = (struct ipaddr){.family = strchr(text, ':') ? AF_INET6 : AF_INET};
	return inet_pton(ret->family, text, ret->bytes) == 1 ? 0 : -EINVAL;
}

const char *ip_format(const struct ipaddr *ip, char buffer[INET6_ADDRSTRLEN])
{
	if (!inet_ntop(ip->family, ip->bytes, buffer, INET6_ADDRSTRLEN))
		buffer[0] = '\0';
	return buffer;
}

bool ip_equal(const struct ipaddr *a, const struct ipaddr *b)
{
	return a->family == b->family && !ip_compare(a, b);
}

int ip_compare(const struct ipaddr *a, const struct ipaddr *b)
{
	return memcmp(a->bytes, b->bytes, ip_bits(a->family) / 8);
}

struct ipaddr ip_from_bytes(int family, const void *bytes)
{
	struct ipaddr ip = {.family = family};

	memcpy(ip.bytes, bytes, ip_bits(family) / 8);
	return ip;
}

struct ipaddr ip_of4(struct in_addr address)
{
	return ip_from_bytes(AF_INET, &address);
}

struct ipaddr ip_of6(struct in6_addr address)
{
	return ip_from_bytes(AF_INET6, &address);
}

struct in_addr ip_to4(const struct ipaddr *ip)
{
	struct in_addr address;

	memcpy(&address, ip->bytes, sizeof(address));
	return address;
}

struct in6_addr ip_to6(const struct ipaddr *ip)
{
	struct in6_addr address;

	memcpy(&address, ip->bytes, sizeof(address));
	return address;
}

struct ipaddr ip_add(const struct ipaddr *ip, uint64_t n)
{
	struct ipaddr sum = *ip;
	unsigned int i = ip_bits(ip->family) / 8;
	uint64_t carry = 0;

	while (i-- > 0 && (n || carry)) {
		uint64_t digit = sum.bytes[i] + (n & 0xff) + carry;

		sum.bytes[i] = digit;
		carry = digit >> 8;
		n >>= 8;
	}
	return sum;
}

static void clear_host_bits(struct ipaddr *ip, unsigned int prefix, uint8_t fill)
{
	for (unsigned int i = 0; i < ip_bits(ip->family) / 8; i++) {
		unsigned int kept = prefix > i * 8 ? prefix - i * 8 : 0;
		uint8_t mask = kept >= 8 ? 0xff : (uint8_t)(0xff00 >> kept);

		ip->bytes[i] = (ip->bytes[i] & mask) | (fill & ~mask);
	}
}

int subnet_parse(const char *text, struct subnet *ret)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	char *end;
	unsigned long prefix;

	if (!slash || (size_t)(slash - text) >= sizeof(address) || slash[1] < '0' || slash[1] > '9')
		return -EINVAL;
	memcpy(address, text, slash - text);
	address[slash - text] = '\0';
	prefix = strtoul(slash + 1, &end, 10);
	if (*end || ip_parse(address, &ret->ip) < 0 || prefix > ip_bits(ret->ip.family))
		return -EINVAL;
	*ret = subnet_of(&ret->ip, prefix);
	return 0;
}

const char *subnet_format(const struct subnet *subnet, char buffer[SUBNET_TEXT_MAX])
{
	char address[INET6_ADDRSTRLEN];

	snprintf(buffer, SUBNET_TEXT_MAX, "%s/%u", ip_format(&subnet->ip, address), subnet->prefix);
	return buffer;
}

struct subnet subnet_of(const struct ipaddr *ip, unsigned int prefix)
{
	struct subnet subnet = {.ip = *ip, .prefix = prefix};

	clear_host_bits(&subnet.ip, prefix, 0);
	return subnet;
}

bool subnet_contains(const struct subnet *subnet, const struct ipaddr *ip)
{
	struct subnet other;

	if (subnet->ip.family != ip->family)
		return false;
	other = subnet_of(ip, subnet->prefix);
	return ip_equal(&other.ip, &subnet->ip);
}

bool subnet_overlaps(const struct subnet *a, const struct subnet *b)
{
	return a->prefix < b->prefix ? subnet_contains(a, &b->ip) : subnet_contains(b, &a->ip);
}

struct ipaddr subnet_last(const struct subnet *subnet)
{
	struct ipaddr last = subnet->ip;

	clear_host_bits(&last, subnet->prefix, 0xff);
	return last;
}

uint64_t subnet_size(const struct subnet *subnet)
{
	unsigned int bits = ip_bits(subnet->ip.family) - subnet->prefix;

	return bits >= 32 ? UINT32_MAX : UINT64_C(1) << bits;
}
