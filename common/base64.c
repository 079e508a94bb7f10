// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/base64.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	struct strbuf out = {0};

	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		uint32_t group = (uint32_t)bytes[i] << 16;

		group |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
		group |= left > 2 ? bytes[i + 2] : 0;
		strbuf_addc(&out, digits[group >> 18]);
		strbuf_addc(&out, digits[group >> 12 & 63]);
		strbuf_addc(&out, left > 1 ? digits[group >> 6 & 63] : '=');
		strbuf_addc(&out, left > 2 ? digits[group & 63] : '=');
	}
	return strbuf_take(&out);
}

char *base64_decode(const char *text, size_t *ret_size)
{
	uint8_t *out = alloc(strlen(text) / 4 * 3 + 4);
	size_t n = 0, count = 0;
	uint32_t group = 0;

	for (; *text && *text != '='; text++) {
		const char *digit = strchr(digits, *text);

		if (strchr(" \t\r\n", *text))
			continue;
		if (!digit)
			goto bad;
		group = group << 6 | (uint32_t)(digit - digits);
		if (++count % 4 == 0 || count % 4 > 1)
			out[n++] = (uint8_t)(group >> (count % 4 == 2   ? 4
						       : count % 4 == 3 ? 2
									: 0));
	}
	if (text[strspn(text, "= \t\r\n")] || count % 4 == 1)
		goto bad;
	out[n] = '\0';
	if (!ret_size && strlen((char *)out) != n)
		goto bad;
	if (ret_size)
		*ret_size = n;
	return (char *)out;
bad:
	free(out);
	return NULL;
}
