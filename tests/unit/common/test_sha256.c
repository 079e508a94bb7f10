// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/sha256.h"

/* One byte more than what leaves room for the length in the last block. */
#define FIFTY_SIX_BYTES "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"

/* FIPS 180-4's examples. */
static const struct {
	const char *text;
	const char *digest;
} rows[] = {
	{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{FIFTY_SIX_BYTES, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

Test(sha256, known_digests)
{
	char hex[SHA256_HEX_SIZE];

	array_foreach(row, rows) {
		sha256_of(row->text, strlen(row->text), hex);
		cr_expect_str_eq(hex, row->digest);
	}
}

Test(sha256, a_million_letters_in_uneven_pieces)
{
	static char letters[1000000];
	char hex[SHA256_HEX_SIZE];
	struct sha256 sha;
	unsigned seed = 1;

	memset(letters, 'a', sizeof(letters));
	sha256_init(&sha);
	for (size_t at = 0; at < sizeof(letters);) {
		size_t n = (size_t)rand_r(&seed) % 300;

		n = n < sizeof(letters) - at ? n : sizeof(letters) - at;
		sha256_update(&sha, letters + at, n);
		at += n;
	}
	sha256_hex(&sha, hex);
	cr_expect_str_eq(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

Test(sha256, both_ways_agree)
{
	char text[200], hex[SHA256_HEX_SIZE], plain[SHA256_HEX_SIZE];

	for (size_t n = 0; n <= sizeof(text); n++) {
		memset(text, 'a', n);
		sha256_of(text, n, hex);
		sha256_use_instructions(0);
		sha256_of(text, n, plain);
		sha256_use_instructions(1);
		cr_assert_str_eq(hex, plain, "%zu bytes", n);
	}
}
