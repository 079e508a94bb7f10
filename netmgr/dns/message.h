/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_DNS_MESSAGE_H
#define NETMGR_DNS_MESSAGE_H

/*
 * message.h - DNS messages (RFC 1035, EDNS0 by RFC 6891) as bytes from strangers.
 *
 * Parsing reads within bounds, follows compression only towards the front, and allocates nothing.
 * Names are text: labels joined by dots, lower case, no dot at the end; bytes that are no plain
 * characters (a dot within a label, too) as \DDD, so that they match no name of ours.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_NAME_MAX    1024 /* 255 bytes on the wire, all escaped, and NUL */
#define DNS_HEADER      12
#define DNS_UDP_MIN     512  /* what every client takes */
#define DNS_UDP_MAX     4096 /* and what we promise to nobody to exceed */
#define DNS_MESSAGE_MAX 65535
#define DNS_TTL         600 /* as Docker answers */

enum dns_type {
	DNS_A = 1,
	DNS_PTR = 12,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_OPT = 41,
	DNS_ANY = 255,
};

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16,
};

struct dns_query {
	uint16_t id, flags;
	char name[DNS_NAME_MAX];
	uint16_t type, class;
	size_t question_end; /* offset behind the question */
	bool edns;
	uint16_t udp_size; /* what the client takes: 512 to DNS_UDP_MAX */
};

/*
 * Parses a query with one question. DNS_NOERROR; another rcode to answer with (then id, flags, and
 * question_end, DNS_HEADER if there is none, hold); negative: nothing to answer (too short, or a
 * response).
 */
int dns_parse_query(const uint8_t *data, size_t size, struct dns_query *ret);

/* The rcode of @reply if it is a response to the question of @query (same bytes but for letters'
 * case); -EBADMSG. */
int dns_match_reply(const uint8_t *query, size_t question_end, const uint8_t *reply, size_t size);

static inline uint16_t dns_get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static inline void dns_put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

/* "4.3.2.1.in-addr.arpa", 32 nibbles of "ip6.arpa": to an address. False: another name. */
bool dns_reverse_name(const char *name, int *ret_family, struct in6_addr *ret);

/* A reply that grows; what does not fit leaves it as it was and sets the TC bit. */
struct dns_reply {
	uint8_t *data;
	size_t size, limit;
	bool edns; /* room is kept for it, and dns_reply_end() puts it there */
	uint8_t extended_rcode;
};

/* Header and question of the reply, in @buffer of at least DNS_UDP_MIN. */
void dns_reply_begin(struct dns_reply *reply, uint8_t *buffer, size_t limit, const uint8_t *query,
		     const struct dns_query *parsed, int rcode);
/* Answers to the question's name. False: there was no room. */
bool dns_reply_a(struct dns_reply *reply, struct in_addr address);
bool dns_reply_aaaa(struct dns_reply *reply, struct in6_addr address);
bool dns_reply_ptr(struct dns_reply *reply, const char *name);
size_t dns_reply_end(struct dns_reply *reply);

/* A reply too long for UDP: header and question of it with the TC bit. Its new size. */
size_t dns_truncate(uint8_t *reply, size_t size, size_t question_end);

#endif
