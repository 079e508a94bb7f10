// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/tree/utf16.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/str.h"

#define REPLACEMENT 0xfffd /* for half of a pair */

static uint32_t unit(const char *at, bool little)
{
	uint8_t first = (uint8_t)at[0], second = (uint8_t)at[1];

	return little ? (uint32_t)(second << 8 | first) : (uint32_t)(first << 8 | second);
}

static void add(struct strbuf *text, uint32_t c)
{
	if (c < 0x80) {
		strbuf_addc(text, (char)c);
		return;
	}
	if (c < 0x800) {
		strbuf_addc(text, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			strbuf_addc(text, (char)(0xe0 | c >> 12));
		} else {
			strbuf_addc(text, (char)(0xf0 | c >> 18));
			strbuf_addc(text, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		strbuf_addc(text, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	strbuf_addc(text, (char)(0x80 | (c & 0x3f)));
}

char *utf16_to_utf8(const char *data, size_t size, size_t *ret_size)
{
	struct strbuf text = {0};
	bool little;

	if (size < 2 || (memcmp(data, "\xff\xfe", 2) != 0 && memcmp(data, "\xfe\xff", 2) != 0))
		return NULL;
	little = data[0] == '\xff';
	for (size_t i = 2; i + 1 < size; i += 2) {
		uint32_t c = unit(data + i, little), low = 0;

		if (c >= 0xd800 && c < 0xdc00 && i + 3 < size)
			low = unit(data + i + 2, little);
		if (low >= 0xdc00 && low < 0xe000) {
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			i += 2;
		} else if (c >= 0xd800 && c < 0xe000) {
			c = REPLACEMENT;
		}
		add(&text, c);
	}
	*ret_size = text.length;
	return strbuf_take(&text);
}
