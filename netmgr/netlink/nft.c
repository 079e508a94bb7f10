// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/netlink/nft.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#define COMMENT     0 /* its type in userdata: nft's own, of rules, chains and elements alike */
#define COMMENT_MAX 254

static void message(struct batch *batch, uint16_t type, uint16_t flags, uint8_t family,
		    uint16_t resource)
{
	struct nfgenmsg header = {
		.nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(resource)};

	batch_message(batch, type, flags, &header, sizeof(header));
}

void nft_begin(struct batch *batch)
{
	message(batch, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	/* A refusal of the whole is told of the beginning: number 0 marks it as the last word. */
	((struct nlmsghdr *)(batch->data + batch->message))->nlmsg_seq = 0;
}

void nft_end(struct batch *batch)
{
	/* Older kernels answer no end: the message before it is awaited. */
	message(batch, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	batch->count--;
}

void nft_message(struct batch *batch, uint16_t type, uint16_t flags, uint8_t family)
{
	message(batch, NFNL_SUBSYS_NFTABLES << 8 | type, flags, family, 0);
}

void nft_be32(struct batch *batch, uint16_t type, uint32_t value)
{
	batch_attr_u32(batch, type, htonl(value));
}

void nft_comment(struct batch *batch, uint16_t type, const char *text)
{
	size_t size = strnlen(text, COMMENT_MAX) + 1;
	uint8_t data[2 + COMMENT_MAX + 1] = {COMMENT, (uint8_t)size};

	memcpy(data + 2, text, size - 1);
	batch_attr(batch, type, data, 2 + size);
}

const char *nft_comment_of(const struct nlattr *userdata)
{
	const uint8_t *data = userdata ? netlink_attr_data(userdata) : NULL;
	size_t size = userdata ? netlink_attr_size(userdata) : 0;

	while (size > 2 && (size_t)data[1] + 2 <= size) {
		if (data[0] == COMMENT && data[1] && !data[1 + data[1]])
			return (const char *)data + 2;
		size -= data[1] + 2;
		data += data[1] + 2;
	}
	return NULL;
}

struct expression {
	size_t element, data;
};

static struct expression begin(struct batch *batch, const char *name)
{
	struct expression e;

	e.element = batch_nest(batch, NFTA_LIST_ELEM);
	batch_attr_string(batch, NFTA_EXPR_NAME, name);
	e.data = batch_nest(batch, NFTA_EXPR_DATA);
	return e;
}

static void end(struct batch *batch, struct expression e)
{
	batch_nest_end(batch, e.data);
	batch_nest_end(batch, e.element);
}

static void put_register(struct batch *batch, uint16_t type, unsigned int reg)
{
	nft_be32(batch, type, NFT_REG32_00 + reg);
}

/* Returns where the value stands. */
static size_t put_value(struct batch *batch, uint16_t type, const void *value, size_t size)
{
	size_t nest = batch_nest(batch, type), at = batch->size + NLA_HDRLEN;

	batch_attr(batch, NFTA_DATA_VALUE, value, size);
	batch_nest_end(batch, nest);
	return at;
}

void nft_load_payload(struct batch *batch, unsigned int reg, uint32_t base, uint32_t offset,
		      uint32_t size)
{
	struct expression e = begin(batch, "payload");

	put_register(batch, NFTA_PAYLOAD_DREG, reg);
	nft_be32(batch, NFTA_PAYLOAD_BASE, base);
	nft_be32(batch, NFTA_PAYLOAD_OFFSET, offset);
	nft_be32(batch, NFTA_PAYLOAD_LEN, size);
	end(batch, e);
}

void nft_load_meta(struct batch *batch, unsigned int reg, uint32_t key)
{
	struct expression e = begin(batch, "meta");

	put_register(batch, NFTA_META_DREG, reg);
	nft_be32(batch, NFTA_META_KEY, key);
	end(batch, e);
}

void nft_store_meta(struct batch *batch, unsigned int reg, uint32_t key)
{
	struct expression e = begin(batch, "meta");

	nft_be32(batch, NFTA_META_KEY, key);
	put_register(batch, NFTA_META_SREG, reg);
	end(batch, e);
}

void nft_load_socket(struct batch *batch, unsigned int reg, uint32_t key)
{
	struct expression e = begin(batch, "socket");

	nft_be32(batch, NFTA_SOCKET_KEY, key);
	put_register(batch, NFTA_SOCKET_DREG, reg);
	end(batch, e);
}

void nft_load_ct(struct batch *batch, unsigned int reg, uint32_t key)
{
	struct expression e = begin(batch, "ct");

	put_register(batch, NFTA_CT_DREG, reg);
	nft_be32(batch, NFTA_CT_KEY, key);
	end(batch, e);
}

void nft_load_destination_type(struct batch *batch, unsigned int reg)
{
	struct expression e = begin(batch, "fib");

	put_register(batch, NFTA_FIB_DREG, reg);
	nft_be32(batch, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	nft_be32(batch, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
	end(batch, e);
}

void nft_mask(struct batch *batch, unsigned int reg, const void *mask, size_t size)
{
	static const uint8_t nothing[16];
	struct expression e = begin(batch, "bitwise");

	put_register(batch, NFTA_BITWISE_SREG, reg);
	put_register(batch, NFTA_BITWISE_DREG, reg);
	nft_be32(batch, NFTA_BITWISE_LEN, (uint32_t)size);
	put_value(batch, NFTA_BITWISE_MASK, mask, size);
	put_value(batch, NFTA_BITWISE_XOR, nothing, size);
	end(batch, e);
}

size_t nft_compare(struct batch *batch, unsigned int reg, bool equal, const void *value,
		   size_t size)
{
	struct expression e = begin(batch, "cmp");
	size_t at;

	put_register(batch, NFTA_CMP_SREG, reg);
	nft_be32(batch, NFTA_CMP_OP, equal ? NFT_CMP_EQ : NFT_CMP_NEQ);
	at = put_value(batch, NFTA_CMP_DATA, value, size);
	end(batch, e);
	return at;
}

size_t nft_set_register(struct batch *batch, unsigned int reg, const void *value, size_t size)
{
	struct expression e = begin(batch, "immediate");
	size_t at;

	put_register(batch, NFTA_IMMEDIATE_DREG, reg);
	at = put_value(batch, NFTA_IMMEDIATE_DATA, value, size);
	end(batch, e);
	return at;
}

void nft_lookup(struct batch *batch, unsigned int reg, const char *set, bool map)
{
	struct expression e = begin(batch, "lookup");

	batch_attr_string(batch, NFTA_LOOKUP_SET, set);
	put_register(batch, NFTA_LOOKUP_SREG, reg);
	if (map)
		put_register(batch, NFTA_LOOKUP_DREG, reg);
	end(batch, e);
}

void nft_store_payload(struct batch *batch, unsigned int reg, uint32_t base, uint32_t offset,
		       uint32_t size, uint32_t checksum_offset)
{
	struct expression e = begin(batch, "payload");

	put_register(batch, NFTA_PAYLOAD_SREG, reg);
	nft_be32(batch, NFTA_PAYLOAD_BASE, base);
	nft_be32(batch, NFTA_PAYLOAD_OFFSET, offset);
	nft_be32(batch, NFTA_PAYLOAD_LEN, size);
	nft_be32(batch, NFTA_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
	nft_be32(batch, NFTA_PAYLOAD_CSUM_OFFSET, checksum_offset);
	end(batch, e);
}

void nft_verdict(struct batch *batch, int code, const char *chain)
{
	struct expression e = begin(batch, "immediate");
	size_t data, verdict;

	nft_be32(batch, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = batch_nest(batch, NFTA_IMMEDIATE_DATA);
	verdict = batch_nest(batch, NFTA_DATA_VERDICT);
	nft_be32(batch, NFTA_VERDICT_CODE, (uint32_t)code);
	if (chain)
		batch_attr_string(batch, NFTA_VERDICT_CHAIN, chain);
	batch_nest_end(batch, verdict);
	batch_nest_end(batch, data);
	end(batch, e);
}

void nft_destination_nat(struct batch *batch, uint8_t family, unsigned int address_reg,
			 unsigned int port_reg)
{
	struct expression e = begin(batch, "nat");

	nft_be32(batch, NFTA_NAT_TYPE, NFT_NAT_DNAT);
	nft_be32(batch, NFTA_NAT_FAMILY, family);
	put_register(batch, NFTA_NAT_REG_ADDR_MIN, address_reg);
	put_register(batch, NFTA_NAT_REG_PROTO_MIN, port_reg);
	end(batch, e);
}

void nft_masquerade(struct batch *batch)
{
	end(batch, begin(batch, "masq"));
}
