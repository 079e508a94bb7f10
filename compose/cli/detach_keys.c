// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/detach_keys.h"

#include <ctype.h>
#include <string.h>

static int parse_key(const char *word, unsigned char *ret)
{
	char c;

	if (strlen(word) == 1) {
		*ret = (unsigned char)word[0];
		return 0;
	}
	if (!str_starts_with(word, "ctrl-") || strlen(word) != 6)
		return -EINVAL;
	c = (char)toupper((unsigned char)word[5]);
	if (c < '@' || c > '_')
		return -EINVAL;
	*ret = (unsigned char)(c - '@');
	return 0;
}

int detach_keys_parse(const char *text, struct detach_keys *ret, struct error *err)
{
	_cleanup_strv_ char **words = strv_split(text && text[0] ? text : DETACH_KEYS_DEFAULT, ",");

	*ret = (struct detach_keys){0};
	strv_foreach(word, words) {
		if (ret->count == DETACH_KEYS_MAX)
			return error_set(err, EINVAL, "--detach-keys: more than %d keys",
					 DETACH_KEYS_MAX);
		if (parse_key(word, &ret->keys[ret->count]) < 0)
			return error_set(err, EINVAL,
					 "invalid detach keys provided: Unknown character: '%s'; "
					 "write ctrl-p,ctrl-q or single letters",
					 word);
		ret->count++;
	}
	return 0;
}

bool detach_keys_filter(struct detach_keys *keys, const char *typed, size_t size,
			struct strbuf *out)
{
	for (size_t i = 0; i < size; i++) {
		if (keys->count && (unsigned char)typed[i] == keys->keys[keys->matched]) {
			if (++keys->matched == keys->count)
				return true;
			continue;
		}
		strbuf_add_n(out, keys->keys, keys->matched);
		keys->matched = 0;
		if (keys->count && (unsigned char)typed[i] == keys->keys[0])
			keys->matched = 1;
		else
			strbuf_addc(out, typed[i]);
	}
	return false;
}
