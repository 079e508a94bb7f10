// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/args/detach_keys.h"

#include <ctype.h>
#include <string.h>

#include "compose/cli/registry/docker_config.h"

/* What is pressed as one sequence comes faster. */
#define PATIENCE_MSEC 300

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
	_cleanup_free_ char *config = text && text[0] ? NULL : docker_config_get("detachKeys");
	_cleanup_strv_ char **words =
		strv_split(text && text[0] ? text : config ?: DETACH_KEYS_DEFAULT, ",");
	const char *source = config ? "detachKeys of config.json" : "--detach-keys";

	*ret = (struct detach_keys){0};
	strv_foreach(word, words) {
		if (ret->count == DETACH_KEYS_MAX)
			return error_set(err, EINVAL, "%s: more than %d keys", source,
					 DETACH_KEYS_MAX);
		if (parse_key(word, &ret->keys[ret->count]) < 0)
			return error_set(err, EINVAL,
					 "invalid detach keys provided: Unknown character: '%s'; "
					 "write ctrl-p,ctrl-q or single letters (%s)",
					 word, source);
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
		detach_keys_release(keys, out);
		keys->matched = keys->passed = 0;
		if (keys->count && (unsigned char)typed[i] == keys->keys[0])
			keys->matched = 1;
		else
			strbuf_addc(out, typed[i]);
	}
	return false;
}

int detach_keys_timeout(const struct detach_keys *keys)
{
	return keys && keys->matched > keys->passed ? PATIENCE_MSEC : -1;
}

void detach_keys_release(struct detach_keys *keys, struct strbuf *out)
{
	strbuf_add_n(out, keys->keys + keys->passed, keys->matched - keys->passed);
	keys->passed = keys->matched;
}
