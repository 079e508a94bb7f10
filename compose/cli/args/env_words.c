// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/args/env_words.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/str.h"

#include "compose/tree/dotenv.h"

void env_words_add(char ***list, char *const *words)
{
	strv_foreach(word, words) {
		const char *value = strchr(word, '=');
		_cleanup_free_ char *key =
			alloc_string_n(word, value ? (size_t)(value - word) : strlen(word));

		value = value ? value + 1 : getenv(key);
		if (value)
			strv_env_set(list, key, value);
	}
}

static const char *lookup(void *data, const char *name)
{
	return strv_env_get(*(char ***)data, name) ?: getenv(name);
}

static void add(void *data, const char *key, const char *value)
{
	if (value)
		strv_env_set(data, key, value);
}

int env_words_read(char ***list, const char *path, struct error *err)
{
	const struct interpolation with = {.lookup = lookup, .data = list};
	const struct dotenv dotenv = {.with = &with, .add = add, .data = list};
	struct source *source = source_new(path, path);
	int r = fs_read(AT_FDCWD, path, DOTENV_SIZE_MAX, &source->text, &source->size, err);

	if (r >= 0)
		r = dotenv_parse(&dotenv, source, err);
	else if (r == -ENOENT)
		r = error_set(err, ENOENT, "couldn't find env file: %s", path);
	source_free(source);
	return r;
}
