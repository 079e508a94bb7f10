// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a .dockerignore, matched with its own lines as paths. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"

#include "runtime/build/ignore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ignore ignore;
	struct error err = ERROR_INIT;

	if (size > 2048)
		return 0;
	if (ignore_parse("f", (const char *)data, size, &ignore, &err) < 0) {
		assert(err.message[0]);
		return 0;
	}
	for (size_t i = 0; i < ignore.count && i < 16; i++) {
		if (ignore_prunes(&ignore, ignore.patterns[i].pattern))
			assert(ignore_matches(&ignore, ignore.patterns[i].pattern, NULL));
		(void)ignore_matches(&ignore, ignore.patterns[i].original, NULL);
	}
	ignore_done(&ignore);
	return 0;
}
