// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "netmgr/dns/message.h"

/* Header: id 0x1234, RD, one question. */
#define HEADER        "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
#define HEADER_PLUS_1 "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01"
#define A_IN          "\x00\x01\x00\x01"
#define BYTES(s)      s, sizeof(s) - 1

static const struct {
	const char *data;
	size_t size;
	int rcode;
	const char *name;
	unsigned int type, udp_size;
} queries[] = {
	{BYTES(HEADER "\003web\000" A_IN), DNS_NOERROR, "web", DNS_A, 512},
	{BYTES(HEADER "\003WeB\007Default\000\x00\x1c\x00\x01"), DNS_NOERROR, "web.default", 28,
	 512},
	{BYTES(HEADER "\000" A_IN), DNS_NOERROR, "", DNS_A, 512},
	{BYTES(HEADER "\003a.b\000" A_IN), DNS_NOERROR, "a\\046b", DNS_A, 512},
	{BYTES(HEADER "\002\000\377\000" A_IN), DNS_NOERROR, "\\000\\255", DNS_A, 512},
	/* EDNS: 1232 bytes; less than 512 counts as 512; more than we like as what we like */
	{BYTES(HEADER_PLUS_1 "\001a\000" A_IN "\000\x00\x29\x04\xd0\0\0\0\0\0\0"), 0, "a", 1, 1232},
	{BYTES(HEADER_PLUS_1 "\001a\000" A_IN "\000\x00\x29\x00\x10\0\0\0\0\0\0"), 0, "a", 1, 512},
	{BYTES(HEADER_PLUS_1 "\001a\000" A_IN "\000\x00\x29\xff\xff\0\0\0\0\0\0"), 0, "a", 1, 4096},
	{BYTES(HEADER_PLUS_1 "\001a\000" A_IN "\000\x00\x29\x04\xd0\0\1\0\0\0\0"), DNS_BADVERS, "a",
	 1, 1232},
	/* refused */
	{BYTES("\x12\x34"), -EBADMSG, NULL, 0, 0},
	{BYTES("\x12\x34\x81\x00\x00\x01\x00\x00\x00\x00\x00\x00\001a\000" A_IN), -EBADMSG, NULL, 0,
	 0},
	{BYTES("\x12\x34\x28\x00\x00\x01\x00\x00\x00\x00\x00\x00\001a\000" A_IN), DNS_NOTIMP, NULL,
	 0, 0},
	{BYTES("\x12\x34\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"), DNS_FORMERR, NULL, 0, 0},
	{BYTES("\x12\x34\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00\001a\000" A_IN), DNS_FORMERR, NULL,
	 0, 0},
	{BYTES(HEADER), DNS_FORMERR, NULL, 0, 0},
	{BYTES(HEADER "\003we"), DNS_FORMERR, NULL, 0, 0},
	{BYTES(HEADER "\003web\000\x00\x01"), DNS_FORMERR, NULL, 0, 0},
	{BYTES(HEADER "\100aaa\000" A_IN), DNS_FORMERR, NULL, 0, 0},
	/* compression: to itself, forwards, into the header, and a circle */
	{BYTES(HEADER "\300\014" A_IN), DNS_FORMERR, NULL, 0, 0},
	{BYTES(HEADER "\300\020" A_IN "\001a\000"), DNS_FORMERR, NULL, 0, 0},
	{BYTES(HEADER "\300\000" A_IN), DNS_FORMERR, NULL, 0, 0},
	{BYTES(HEADER "\001a\300\014" A_IN), DNS_FORMERR, NULL, 0, 0},
	{BYTES(HEADER "\300"), DNS_FORMERR, NULL, 0, 0},
	/* a record that is cut off, two OPTs, an OPT with a name, more records than there are */
	{BYTES(HEADER_PLUS_1 "\001a\000" A_IN "\000\x00\x29\x04\xd0\0\0\0\0\0\5"), DNS_FORMERR,
	 NULL, 0, 0},
	{BYTES(HEADER_PLUS_1 "\001a\000" A_IN "\001b\000\x00\x29\x04\xd0\0\0\0\0\0\0"), DNS_FORMERR,
	 NULL, 0, 0},
	{BYTES(HEADER_PLUS_1 "\001a\000" A_IN), DNS_FORMERR, NULL, 0, 0},
	{BYTES("\x12\x34\x01\x00\x00\x01\xff\xff\xff\xff\xff\xff\001a\000" A_IN), DNS_FORMERR, NULL,
	 0, 0},
};

Test(dns_message, queries)
{
	array_foreach(c, queries) {
		struct dns_query query;
		/* A copy of just that size, so that the sanitizer sees a step too far. */
		uint8_t *data = malloc(c->size);
		int rcode;

		memcpy(data, c->data, c->size);
		rcode = dns_parse_query(data, c->size, &query);
		cr_expect_eq(rcode, c->rcode, "row %td: %d", c - queries, rcode);
		if (c->name) {
			cr_expect_str_eq(query.name, c->name);
			cr_expect_eq(query.type, c->type);
			cr_expect_eq(query.udp_size, c->udp_size, "%u", query.udp_size);
			cr_expect_eq(query.id, 0x1234);
		}
		for (size_t size = 0; size < c->size; size++) {
			uint8_t *cut = malloc(size + !size);

			memcpy(cut, c->data, size);
			(void)dns_parse_query(cut, size, &query);
			free(cut);
		}
		free(data);
	}
}

/* 255 bytes are a name, 256 are not. */
Test(dns_message, longest_name)
{
	struct dns_query query;
	uint8_t data[400] = HEADER;
	size_t at = DNS_HEADER;

	for (int i = 0; i < 3; i++) {
		data[at] = 63;
		memset(data + at + 1, '\1', 63);
		at += 64;
	}
	data[at] = 61;
	memset(data + at + 1, '\1', 61);
	at += 62;
	data[at++] = 0;
	memcpy(data + at, A_IN, 4);
	cr_expect_eq(dns_parse_query(data, at + 4, &query), DNS_NOERROR);
	cr_expect_eq(strlen(query.name), 4 * (63 * 3 + 61) + 3);
	at = DNS_HEADER + 3 * 64;
	data[at] = 62;
	memset(data + at + 1, 'a', 62);
	data[at + 63] = 0;
	memcpy(data + at + 64, A_IN, 4);
	cr_expect_eq(dns_parse_query(data, at + 68, &query), DNS_FORMERR);
}

static const struct {
	const char *name, *address; /* NULL: not a reverse name */
} reverses[] = {
	{"4.3.2.10.in-addr.arpa", "10.2.3.4"},
	{"1.0.0.127.in-addr.arpa", "127.0.0.1"},
	{"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", "fd00::1"},
	{"3.2.10.in-addr.arpa", NULL},
	{"04.3.2.10.in-addr.arpa", NULL},
	{"256.3.2.10.in-addr.arpa", NULL},
	{"5.4.3.2.10.in-addr.arpa", NULL},
	{"4.3.2.10x.in-addr.arpa", NULL},
	{"in-addr.arpa", NULL},
	{".in-addr.arpa", NULL},
	{"1.0.ip6.arpa", NULL},
	{"g.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", NULL},
	{"web", NULL},
};

Test(dns_message, reverse_names)
{
	array_foreach(c, reverses) {
		char text[INET6_ADDRSTRLEN];
		struct in6_addr address;
		int family;
		bool is = dns_reverse_name(c->name, &family, &address);

		cr_expect_eq(is, c->address != NULL, "%s", c->name);
		if (is && c->address)
			cr_expect_str_eq(inet_ntop(family, &address, text, sizeof(text)),
					 c->address);
	}
}

Test(dns_message, replies_fit_or_say_that_they_do_not)
{
	static const char asked[] =
		HEADER_PLUS_1 "\003web\000" A_IN "\000\x00\x29\x02\x00\0\0\0\0\0\0";
	uint8_t buffer[DNS_UDP_MAX];
	struct dns_query query;
	struct dns_reply reply;
	unsigned int fit = 0;
	size_t size;

	cr_assert_eq(dns_parse_query((const uint8_t *)asked, sizeof(asked) - 1, &query), 0);
	dns_reply_begin(&reply, buffer, query.udp_size, (const uint8_t *)asked, &query, 0);
	while (dns_reply_a(&reply, (struct in_addr){htonl(0x0a000001 + fit)}))
		fit++;
	size = dns_reply_end(&reply);
	/* 512 bytes less header, question and OPT, 16 an answer. */
	cr_expect_eq(fit, (512 - 12 - 9 - 11) / 16);
	cr_expect_leq(size, 512);
	cr_expect_eq(dns_get16(buffer + 2), 0x8380, "%x", dns_get16(buffer + 2)); /* QR TC RD RA */
	cr_expect_eq(dns_get16(buffer + 6), fit);
	cr_expect_eq(dns_get16(buffer + 10), 1);
	cr_expect_eq(dns_match_reply((const uint8_t *)asked, query.question_end, buffer, size), 0);
	size = dns_truncate(buffer, size, query.question_end);
	cr_expect_eq(size, query.question_end);
	cr_expect_eq(dns_get16(buffer + 6), 0);
	cr_expect(!dns_reply_ptr(&reply, "a..b"));
}

Test(dns_message, foreign_replies_do_not_match)
{
	static const char asked[] = HEADER "\003web\000" A_IN;
	uint8_t reply[64];
	size_t size = sizeof(asked) - 1;

	memcpy(reply, asked, size);
	cr_expect_eq(dns_match_reply((const uint8_t *)asked, size, reply, size), -EBADMSG);
	reply[2] |= 0x80;
	cr_expect_eq(dns_match_reply((const uint8_t *)asked, size, reply, size), 0);
	reply[13] = 'W';
	cr_expect_eq(dns_match_reply((const uint8_t *)asked, size, reply, size), 0);
	reply[14] = 'o';
	cr_expect_eq(dns_match_reply((const uint8_t *)asked, size, reply, size), -EBADMSG);
	cr_expect_eq(dns_match_reply((const uint8_t *)asked, size, reply, size - 1), -EBADMSG);
	cr_expect_eq(dns_match_reply((const uint8_t *)asked, size, reply, 5), -EBADMSG);
}
