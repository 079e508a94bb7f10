// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as an env_file, in both formats. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/alloc.h"

#include "compose/tree/dotenv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *lookup(void *data, const char *name)
{
	return !strcmp(name, "HOME") ? "/home/u" : NULL;
}

static void add(void *data, const char *key, const char *value)
{
	*(size_t *)data += strlen(key) + (value ? strlen(value) : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct interpolation with = {.lookup = lookup};
	struct source *source = source_new("fuzz.env", NULL);
	size_t total = 0;
	struct dotenv dotenv = {.with = &with, .add = add, .data = &total};
	struct error err = ERROR_INIT;

	source->text = alloc_string_n((const char *)data, size);
	source->size = strlen(source->text);
	for (int raw = 0; raw < 2; raw++) {
		dotenv.raw = raw;
		if (dotenv_parse(&dotenv, source, &err) < 0)
			assert(err.code && err.message[0]);
	}
	source_free(source);
	return 0;
}
