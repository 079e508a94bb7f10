/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETMGR_NETLINK_NFT_H
#define NETMGR_NETLINK_NFT_H

/*
 * nft.h - transactions of nf_tables, and the expressions that rules consist of.
 *
 * Everything between nft_begin() and nft_end() takes effect at once, or not at all. Names are
 * those of <linux/netfilter/nf_tables.h>; numbers of the kernel's own are given in host order
 * and sent as it wants them, values that are compared with packets in the packet's.
 *
 * Registers are the sixteen of four bytes each, counted from 0. A concatenated key or value lies
 * in one after the other, each part beginning in a register of its own.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netmgr/netlink/batch.h"

void nft_begin(struct batch *batch);
/* After it the batch is ready for batch_send(). */
void nft_end(struct batch *batch);

/* @type: NFT_MSG_*, @family: NFPROTO_*. */
void nft_message(struct batch *batch, uint16_t type, uint16_t flags, uint8_t family);
void nft_be32(struct batch *batch, uint16_t type, uint32_t value);

/* A list of (type, size, bytes) with one entry: what nft shows as a comment. */
void nft_comment(struct batch *batch, uint16_t type, const char *text);
/* The comment in such a list, or NULL. */
struct nlattr;
const char *nft_comment_of(const struct nlattr *userdata);

/* NFTA_RULE_EXPRESSIONS is opened by batch_nest() and holds what follows. */
void nft_load_payload(struct batch *batch, unsigned int reg, uint32_t base, uint32_t offset,
		      uint32_t size);
void nft_load_meta(struct batch *batch, unsigned int reg, uint32_t key);
void nft_store_meta(struct batch *batch, unsigned int reg, uint32_t key);
/* Of the socket that the packet is for, NFT_SOCKET_*; goes on only when there is one. */
void nft_load_socket(struct batch *batch, unsigned int reg, uint32_t key);
void nft_load_ct(struct batch *batch, unsigned int reg, uint32_t key);
/* RTN_* of the destination. */
void nft_load_destination_type(struct batch *batch, unsigned int reg);
/* The register keeps those bits that are set in @mask. */
void nft_mask(struct batch *batch, unsigned int reg, const void *mask, size_t size);
/* Both return where in the batch the value stands. */
size_t nft_compare(struct batch *batch, unsigned int reg, bool equal, const void *value,
		   size_t size);
size_t nft_set_register(struct batch *batch, unsigned int reg, const void *value, size_t size);
/* Goes on only with a key that is in @set; with a map its value takes the place of the key. */
void nft_lookup(struct batch *batch, unsigned int reg, const char *set, bool map);
void nft_store_payload(struct batch *batch, unsigned int reg, uint32_t base, uint32_t offset,
		       uint32_t size, uint32_t checksum_offset);
/* @chain: where a jump leads, else NULL. */
void nft_verdict(struct batch *batch, int code, const char *chain);
void nft_destination_nat(struct batch *batch, uint8_t family, unsigned int address_reg,
			 unsigned int port_reg);
void nft_masquerade(struct batch *batch);

#endif
