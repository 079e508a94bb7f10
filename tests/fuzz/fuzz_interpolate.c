// SPDX-License-Identifier: GPL-2.0-or-later
/* Any text with ${...} in it, with one variable set and one empty. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"

#include "compose/tree/interpolate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *lookup(void *data, const char *name)
{
	return !strcmp(name, "A") ? "value $B ${B}" : !strcmp(name, "E") ? "" : NULL;
}

static void found(void *data, const struct interpolate_variable *variable)
{
	assert(variable->name && *variable->name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct interpolation with = {.lookup = lookup};
	char *text = alloc_string_n((const char *)data, size), *result = NULL;
	struct node *node = node_string(text, NULL);
	struct error err = ERROR_INIT;

	if (interpolate_text(&with, text, "fuzz", &result, &err) < 0)
		assert(err.code && err.message[0]);
	interpolate_mentions(node, found, NULL);
	node_free(node);
	free(result);
	free(text);
	return 0;
}
