// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/control/place.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/str.h"

#define PREFIX "#/"

static void add_key(struct strbuf *text, const char *key)
{
	strbuf_add(text, text->length ? "/" : PREFIX);
	for (; *key; key++) {
		if (*key == '~')
			strbuf_add(text, "~0");
		else if (*key == '/')
			strbuf_add(text, "~1");
		else
			strbuf_addc(text, *key);
	}
}

int place_under(struct error *err, const char *key, ...)
{
	_cleanup_strbuf_ struct strbuf text = {0};
	va_list keys;

	if (err->where[0] && !str_starts_with(err->where, PREFIX))
		return -err->code;
	va_start(keys, key);
	for (; key; key = va_arg(keys, const char *))
		add_key(&text, key);
	va_end(keys);
	if (err->where[0])
		strbuf_add(&text, err->where + strlen(PREFIX) - 1);
	if (text.length >= sizeof(err->where))
		err->where[0] = '\0';
	else
		memcpy(err->where, text.data, text.length + 1);
	return -err->code;
}

static void unescape(char *key)
{
	char *to = key;

	for (; *key; key++) {
		if (*key == '~' && (key[1] == '0' || key[1] == '1'))
			*to++ = *++key == '0' ? '~' : '/';
		else
			*to++ = *key;
	}
	*to = '\0';
}

char **place_keys(const char *where)
{
	char **keys;

	if (!str_starts_with(where, PREFIX))
		return NULL;
	keys = strv_split(where + strlen(PREFIX), "/");
	strv_foreach(key, keys)
		unescape(key);
	return keys;
}
