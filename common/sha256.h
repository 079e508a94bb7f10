/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_SHA256_H
#define COMMON_SHA256_H

/*
 * sha256.h - the digest of OCI content, of chain ids and of service configurations.
 *
 * Uses the processor's SHA instructions where it has them.
 */

#include <stddef.h>
#include <stdint.h>

struct sha256 {
	uint32_t state[8];
	uint64_t length; /* bytes */
	uint8_t block[64];
};

#define SHA256_HEX_SIZE 65 /* 64 digits and NUL */

void sha256_init(struct sha256 *sha);
void sha256_update(struct sha256 *sha, const void *data, size_t size);
void sha256_bytes(struct sha256 *sha, unsigned char ret[32]);       /* ends it */
void sha256_hex(struct sha256 *sha, char ret_hex[SHA256_HEX_SIZE]); /* ends it */
void sha256_of(const void *data, size_t size, char ret_hex[SHA256_HEX_SIZE]);

/* Whether the processor's instructions may be used; they may unless a test forbids it. */
void sha256_use_instructions(int on);

#endif
