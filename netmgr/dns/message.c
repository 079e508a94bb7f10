// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/dns/message.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WIRE_NAME_MAX 255
#define LABEL_MAX     63
#define RECORDS_MAX   64 /* of a query: one OPT, perhaps a TSIG or a cookie's kin */

#define FLAG_RESPONSE    0x8000
#define FLAG_OPCODE      0x7800
#define FLAG_AUTHORITY   0x0400
#define FLAG_TRUNCATED   0x0200
#define FLAG_RECURSION   0x0100
#define FLAG_RECURSES    0x0080
#define FLAG_NO_CHECKING 0x0010

#define CLASS_IN  1
#define CLASS_ANY 255
#define OPT_SIZE  11 /* root, type, class, TTL, no data */

#define COUNT_QUESTIONS  4
#define COUNT_ANSWERS    6
#define COUNT_AUTHORITY  8
#define COUNT_ADDITIONAL 10

struct reader {
	const uint8_t *data;
	size_t size, at;
};

/* Appends a label to the text, of which @used bytes are taken; the new length. */
static size_t append_label(char *name, size_t used, const uint8_t *label, size_t length)
{
	if (used)
		name[used++] = '.';
	for (size_t i = 0; i < length; i++) {
		uint8_t c = label[i];

		if (c > ' ' && c < 0x7f && c != '.' && c != '\\')
			name[used++] = tolower(c);
		else
			used += snprintf(name + used, 5, "\\%03u", c);
	}
	return used;
}

/*
 * Reads a name and moves behind it. Each pointer must lead further to the front than the one
 * before, and the name ends after 255 bytes: both make it end.
 */
static bool read_name(struct reader *reader, char name[DNS_NAME_MAX])
{
	size_t at = reader->at, floor = reader->at, wire = 1, used = 0;
	bool jumped = false;

	for (;;) {
		uint8_t length;

		if (at >= reader->size)
			return false;
		length = reader->data[at];
		if ((length & 0xc0) == 0xc0) {
			size_t target;

			if (at + 2 > reader->size)
				return false;
			target = dns_get16(reader->data + at) & 0x3fff;
			if (target >= floor || target < DNS_HEADER)
				return false;
			if (!jumped)
				reader->at = at + 2;
			jumped = true;
			at = floor = target;
			continue;
		}
		if (length > LABEL_MAX || at + 1 + length > reader->size)
			return false;
		at++;
		if (!length)
			break;
		wire += 1 + length;
		if (wire > WIRE_NAME_MAX)
			return false;
		used = append_label(name, used, reader->data + at, length);
		at += length;
	}
	name[used] = '\0';
	if (!jumped)
		reader->at = at;
	return true;
}

static bool read_question(struct reader *reader, struct dns_query *ret)
{
	if (!read_name(reader, ret->name) || reader->at + 4 > reader->size)
		return false;
	ret->type = dns_get16(reader->data + reader->at);
	ret->class = dns_get16(reader->data + reader->at + 2);
	reader->at += 4;
	ret->question_end = reader->at;
	return true;
}

/* One record; takes note of an OPT. An rcode. */
static int read_record(struct reader *reader, struct dns_query *ret)
{
	char name[DNS_NAME_MAX];
	const uint8_t *record;
	size_t length;

	if (!read_name(reader, name) || reader->at + 10 > reader->size)
		return DNS_FORMERR;
	record = reader->data + reader->at;
	length = dns_get16(record + 8);
	if (reader->at + 10 + length > reader->size)
		return DNS_FORMERR;
	reader->at += 10 + length;
	if (dns_get16(record) != DNS_OPT)
		return DNS_NOERROR;
	if (ret->edns || name[0])
		return DNS_FORMERR;
	ret->edns = true;
	ret->udp_size = dns_get16(record + 2);
	if (ret->udp_size < DNS_UDP_MIN)
		ret->udp_size = DNS_UDP_MIN;
	if (ret->udp_size > DNS_UDP_MAX)
		ret->udp_size = DNS_UDP_MAX;
	/* The TTL's second byte is the version; there is only 0. */
	return record[5] ? DNS_BADVERS : DNS_NOERROR;
}

static int read_additional(struct reader *reader, struct dns_query *ret)
{
	unsigned int records = dns_get16(reader->data + COUNT_ANSWERS) +
			       dns_get16(reader->data + COUNT_AUTHORITY) +
			       dns_get16(reader->data + COUNT_ADDITIONAL);
	int rcode = DNS_NOERROR;

	if (records > RECORDS_MAX)
		return DNS_FORMERR;
	while (records-- && !rcode)
		rcode = read_record(reader, ret);
	return rcode;
}

int dns_parse_query(const uint8_t *data, size_t size, struct dns_query *ret)
{
	struct reader reader = {data, size, DNS_HEADER};

	*ret = (struct dns_query){.question_end = DNS_HEADER, .udp_size = DNS_UDP_MIN};
	if (size < DNS_HEADER || size > DNS_MESSAGE_MAX)
		return -EBADMSG;
	ret->id = dns_get16(data);
	ret->flags = dns_get16(data + 2);
	if (ret->flags & FLAG_RESPONSE)
		return -EBADMSG;
	if (ret->flags & FLAG_OPCODE)
		return DNS_NOTIMP;
	if (dns_get16(data + COUNT_QUESTIONS) != 1 || !read_question(&reader, ret))
		return DNS_FORMERR;
	return read_additional(&reader, ret);
}

int dns_match_reply(const uint8_t *query, size_t question_end, const uint8_t *reply, size_t size)
{
	if (size < DNS_HEADER || !(dns_get16(reply + 2) & FLAG_RESPONSE))
		return -EBADMSG;
	/* Some refuse without repeating what they were asked. */
	if (dns_get16(reply + COUNT_QUESTIONS) == 0 && (reply[3] & 0xf) != DNS_NOERROR)
		return reply[3] & 0xf;
	if (dns_get16(reply + COUNT_QUESTIONS) != 1 || size < question_end)
		return -EBADMSG;
	/* Lengths of labels and the types lie below 'A', mostly: folding case harms no comparison.
	 */
	for (size_t i = DNS_HEADER; i < question_end; i++)
		if (tolower(query[i]) != tolower(reply[i]))
			return -EBADMSG;
	return reply[3] & 0xf;
}

static bool reverse4(const char *name, size_t length, struct in6_addr *ret)
{
	char text[INET_ADDRSTRLEN];
	uint8_t bytes[4];

	if (length >= sizeof(text))
		return false;
	memcpy(text, name, length);
	text[length] = '\0';
	if (inet_pton(AF_INET, text, bytes) != 1)
		return false;
	for (int i = 0; i < 4; i++)
		ret->s6_addr[i] = bytes[3 - i];
	return true;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool reverse6(const char *name, size_t length, struct in6_addr *ret)
{
	if (length != 63)
		return false;
	for (int i = 0; i < 32; i++) {
		int value = nibble(name[i * 2]);

		if (value < 0 || (i < 31 && name[i * 2 + 1] != '.'))
			return false;
		/* The last nibble of the address comes first. */
		if (i % 2 == 0)
			ret->s6_addr[15 - i / 2] = value;
		else
			ret->s6_addr[15 - i / 2] |= value << 4;
	}
	return true;
}

static bool ends_with(const char *name, const char *suffix, size_t *ret_length)
{
	size_t length = strlen(name), tail = strlen(suffix);

	if (length <= tail || strcmp(name + length - tail, suffix) != 0)
		return false;
	*ret_length = length - tail;
	return true;
}

bool dns_reverse_name(const char *name, int *ret_family, struct in6_addr *ret)
{
	size_t length;

	*ret = (struct in6_addr){0};
	if (ends_with(name, ".in-addr.arpa", &length)) {
		*ret_family = AF_INET;
		return reverse4(name, length, ret);
	}
	*ret_family = AF_INET6;
	return ends_with(name, ".ip6.arpa", &length) && reverse6(name, length, ret);
}

void dns_reply_begin(struct dns_reply *reply, uint8_t *buffer, size_t limit, const uint8_t *query,
		     const struct dns_query *parsed, int rcode)
{
	bool question = parsed->question_end > DNS_HEADER;
	uint16_t flags = parsed->flags & (FLAG_OPCODE | FLAG_RECURSION | FLAG_NO_CHECKING);

	*reply = (struct dns_reply){
		.data = buffer,
		.limit = parsed->edns ? limit - OPT_SIZE : limit,
		.edns = parsed->edns,
		.extended_rcode = rcode >> 4,
	};
	memset(buffer, 0, DNS_HEADER);
	dns_put16(buffer, parsed->id);
	dns_put16(buffer + 2, flags | FLAG_RESPONSE | FLAG_RECURSES | (rcode & 0xf));
	dns_put16(buffer + COUNT_QUESTIONS, question);
	memcpy(buffer + DNS_HEADER, query + DNS_HEADER, parsed->question_end - DNS_HEADER);
	reply->size = parsed->question_end;
}

static bool reply_record(struct dns_reply *reply, uint16_t type, const void *data, size_t size)
{
	uint8_t *at = reply->data + reply->size;

	if (reply->size + 12 + size > reply->limit) {
		dns_put16(reply->data + 2, dns_get16(reply->data + 2) | FLAG_TRUNCATED);
		return false;
	}
	dns_put16(at, 0xc000 | DNS_HEADER); /* the question's name */
	dns_put16(at + 2, type);
	dns_put16(at + 4, CLASS_IN);
	dns_put16(at + 6, 0);
	dns_put16(at + 8, DNS_TTL);
	dns_put16(at + 10, size);
	memcpy(at + 12, data, size);
	reply->size += 12 + size;
	dns_put16(reply->data + COUNT_ANSWERS, dns_get16(reply->data + COUNT_ANSWERS) + 1);
	return true;
}

bool dns_reply_a(struct dns_reply *reply, struct in_addr address)
{
	return reply_record(reply, DNS_A, &address, sizeof(address));
}

bool dns_reply_aaaa(struct dns_reply *reply, struct in6_addr address)
{
	return reply_record(reply, DNS_AAAA, &address, sizeof(address));
}

/* Text to labels. 0: it is no name. */
static size_t encode_name(const char *name, uint8_t wire[WIRE_NAME_MAX])
{
	size_t used = 0;

	while (*name) {
		size_t length = strcspn(name, ".");

		if (!length || length > LABEL_MAX || used + length + 2 > WIRE_NAME_MAX)
			return 0;
		wire[used++] = length;
		memcpy(wire + used, name, length);
		used += length;
		name += length + (name[length] == '.');
	}
	wire[used++] = 0;
	return used;
}

bool dns_reply_ptr(struct dns_reply *reply, const char *name)
{
	uint8_t wire[WIRE_NAME_MAX];
	size_t size = encode_name(name, wire);

	return size && reply_record(reply, DNS_PTR, wire, size);
}

size_t dns_reply_end(struct dns_reply *reply)
{
	uint8_t *at = reply->data + reply->size;

	if (!reply->edns)
		return reply->size;
	memset(at, 0, OPT_SIZE);
	dns_put16(at + 1, DNS_OPT);
	dns_put16(at + 3, DNS_UDP_MAX);
	at[5] = reply->extended_rcode;
	dns_put16(reply->data + COUNT_ADDITIONAL, 1);
	reply->size += OPT_SIZE;
	return reply->size;
}

size_t dns_truncate(uint8_t *reply, size_t size, size_t question_end)
{
	if (size < question_end)
		return size;
	dns_put16(reply + 2, dns_get16(reply + 2) | FLAG_TRUNCATED);
	memset(reply + COUNT_ANSWERS, 0, DNS_HEADER - COUNT_ANSWERS);
	return question_end;
}
