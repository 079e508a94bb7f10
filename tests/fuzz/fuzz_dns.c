// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packets as they come to a container's name server: parsed, answered from a zone, and matched
 * against themselves as an answer.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

#include "netmgr/dns/message.h"
#include "netmgr/dns/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct zone *make_zone(void)
{
	static const char *const names[] = {"app-web-1", "web", "a.b", NULL};
	struct dns_names entry = {.network = "n", .container_id = "c", .names = names};
	struct zone *zone = zone_new();

	entry.has_ipv4 = entry.has_ipv6 = true;
	entry.ipv4.s_addr = htonl(0x0a000002);
	entry.ipv6.s6_addr[0] = 0xfd;
	zone_add(zone, &entry);
	return zone;
}

static void answer(struct zone *zone, const uint8_t *data, const struct dns_query *query, int rcode)
{
	static const char *const networks[] = {"n", NULL};
	static uint8_t buffer[DNS_UDP_MAX];
	static struct zone_address found[ZONE_ANSWERS_MAX];
	_cleanup_free_ char *name = NULL;
	struct dns_reply reply;
	struct in6_addr address;
	int family;
	size_t size;

	dns_reply_begin(&reply, buffer, query->udp_size, data, query, rcode);
	if (zone_find(zone, networks, query->name, found)) {
		dns_reply_a(&reply, found[0].ipv4);
		dns_reply_aaaa(&reply, found[0].ipv6);
	}
	if (dns_reverse_name(query->name, &family, &address))
		name = zone_find_reverse(zone, networks, family, &address);
	dns_reply_ptr(&reply, name ? name : query->name);
	size = dns_reply_end(&reply);
	assert(size >= DNS_HEADER && size <= query->udp_size);
	if (rcode == DNS_NOERROR)
		assert(dns_match_reply(data, query->question_end, buffer, size) == DNS_NOERROR);
	assert(dns_truncate(buffer, size, query->question_end) == query->question_end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct zone *zone;
	/* A copy of just that size: a step too far is seen. */
	uint8_t *copy = malloc(size + !size);
	struct dns_query query;
	int rcode;

	if (!zone)
		zone = make_zone();
	memcpy(copy, data, size);
	rcode = dns_parse_query(copy, size, &query);
	if (rcode >= 0) {
		assert(query.question_end <= size);
		assert(strlen(query.name) < DNS_NAME_MAX);
		answer(zone, copy, &query, rcode);
		(void)dns_match_reply(copy, query.question_end, copy, size);
	}
	free(copy);
	return 0;
}
