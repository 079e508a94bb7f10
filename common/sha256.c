// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sha256.c - FIPS 180-4, in plain C and with the x86 SHA extensions.
 */
#include "common/sha256.h"

#include <endian.h>
#include <string.h>

#define BLOCK 64

static const uint32_t constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static uint32_t rotate(uint32_t x, int bits)
{
	return (x >> bits) | (x << (32 - bits));
}

static void expand(uint32_t w[64], const uint8_t *block)
{
	for (size_t i = 0; i < 16; i++) {
		uint32_t word;

		memcpy(&word, block + 4 * i, 4);
		w[i] = be32toh(word);
	}
	for (int i = 16; i < 64; i++) {
		uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ (w[i - 15] >> 3);
		uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ (w[i - 2] >> 10);

		w[i] = w[i - 16] + s0 + w[i - 7] + s1;
	}
}

static void compress_plain(uint32_t state[8], const uint8_t *data, size_t blocks)
{
	for (; blocks > 0; blocks--, data += BLOCK) {
		uint32_t w[64], v[8];

		expand(w, data);
		memcpy(v, state, sizeof(v));
		for (int i = 0; i < 64; i++) {
			uint32_t s1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
			uint32_t s0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
			uint32_t choose = (v[4] & v[5]) ^ (~v[4] & v[6]);
			uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
			uint32_t t = v[7] + s1 + choose + constants[i] + w[i];

			memmove(v + 1, v, 7 * sizeof(v[0]));
			v[4] += t;
			v[0] = t + s0 + majority;
		}
		for (int i = 0; i < 8; i++)
			state[i] += v[i];
	}
}

#ifdef __x86_64__
#	include <cpuid.h>
#	include <immintrin.h>

#	define TARGET __attribute__((target("sha,sse4.1,ssse3")))

/* Four rounds: sha256rnds2 does two with the low words of its third operand. */
#	define ROUNDS(i, words)                                                                 \
		do {                                                                             \
			__m128i sum_ = _mm_add_epi32(                                            \
				words, _mm_loadu_si128((const __m128i *)&constants[4 * (i)]));   \
			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum_);                          \
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum_, 0x0e)); \
		} while (0)

/* The next four words of the schedule from the sixteen before, oldest first. */
TARGET static __m128i schedule(__m128i w0, __m128i w4, __m128i w8, __m128i w12)
{
	__m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w4), _mm_alignr_epi8(w12, w8, 4));

	return _mm_sha256msg2_epu32(sum, w12);
}

TARGET static void compress_x86(uint32_t state[8], const uint8_t *data, size_t blocks)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
	__m128i high = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
	__m128i abef = _mm_alignr_epi8(low, high, 8), cdgh = _mm_blend_epi16(high, low, 0xf0);

	for (; blocks > 0; blocks--, data += BLOCK) {
		__m128i abef_before = abef, cdgh_before = cdgh, w[4];

#	pragma GCC unroll 4
		for (size_t i = 0; i < 4; i++) {
			w[i] = _mm_loadu_si128((const __m128i *)data + i);
			w[i] = _mm_shuffle_epi8(w[i], swap);
			ROUNDS(i, w[i]);
		}
		/* Unrolled, the words stay in registers: half as fast again. */
#	pragma GCC unroll 12
		for (size_t i = 4; i < 16; i++) {
			w[i & 3] =
				schedule(w[i & 3], w[(i + 1) & 3], w[(i + 2) & 3], w[(i + 3) & 3]);
			ROUNDS(i, w[i & 3]);
		}
		abef = _mm_add_epi32(abef, abef_before);
		cdgh = _mm_add_epi32(cdgh, cdgh_before);
	}
	low = _mm_shuffle_epi32(abef, 0x1b);
	high = _mm_shuffle_epi32(cdgh, 0xb1);
	_mm_storeu_si128((__m128i *)state, _mm_blend_epi16(low, high, 0xf0));
	_mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(high, low, 8));
}

/* __builtin_cpu_supports() of gcc 12 does not know "sha". */
static int has_instructions(void)
{
	unsigned a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSSE3) || !(c & bit_SSE4_1))
		return 0;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}
#endif

static int allowed = 1;

void sha256_use_instructions(int on)
{
	allowed = on;
}

static void compress(uint32_t state[8], const uint8_t *data, size_t blocks)
{
#ifdef __x86_64__
	static int fast = -1;

	if (fast < 0)
		fast = has_instructions();
	if (fast && allowed) {
		compress_x86(state, data, blocks);
		return;
	}
#endif
	compress_plain(state, data, blocks);
}

void sha256_init(struct sha256 *sha)
{
	*sha = (struct sha256){
		.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
			  0x1f83d9ab, 0x5be0cd19},
	};
}

void sha256_update(struct sha256 *sha, const void *data, size_t size)
{
	size_t held = sha->length % BLOCK;
	const uint8_t *at = data;

	sha->length += size;
	if (held > 0) {
		size_t n = BLOCK - held < size ? BLOCK - held : size;

		memcpy(sha->block + held, at, n);
		if (held + n < BLOCK)
			return;
		compress(sha->state, sha->block, 1);
		at += n;
		size -= n;
	}
	if (size >= BLOCK)
		compress(sha->state, at, size / BLOCK);
	at += size - size % BLOCK;
	if (size % BLOCK)
		memcpy(sha->block, at, size % BLOCK);
}

static void finish(struct sha256 *sha)
{
	uint8_t padding[2 * BLOCK] = {0x80};
	uint64_t bits = htobe64(sha->length * 8);
	size_t held = sha->length % BLOCK;
	size_t zeros = (held < BLOCK - 8 ? BLOCK : 2 * BLOCK) - 8 - held;

	memcpy(padding + zeros, &bits, 8);
	sha256_update(sha, padding, zeros + 8);
}

void sha256_bytes(struct sha256 *sha, unsigned char ret[32])
{
	finish(sha);
	for (int i = 0; i < 32; i++)
		ret[i] = (unsigned char)(sha->state[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256_hex(struct sha256 *sha, char ret_hex[SHA256_HEX_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	finish(sha);
	for (int i = 0; i < 64; i++)
		ret_hex[i] = digits[(sha->state[i / 8] >> (28 - 4 * (i % 8))) & 15];
	ret_hex[64] = '\0';
}

void sha256_of(const void *data, size_t size, char ret_hex[SHA256_HEX_SIZE])
{
	struct sha256 sha;

	sha256_init(&sha);
	sha256_update(&sha, data, size);
	sha256_hex(&sha, ret_hex);
}
