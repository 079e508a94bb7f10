// SPDX-License-Identifier: GPL-2.0-or-later
/* Image names: what is accepted stays the same when it is read once more. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"

#include "runtime/image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *name = alloc_string_n((const char *)data, size);
	_cleanup_free_ char *normalized = NULL, *again = NULL, *repository = NULL, *tag = NULL;
	struct error err = ERROR_INIT;

	if (reference_parse(name, &normalized, &err) < 0)
		return 0;
	if (reference_parse(normalized, &again, &err) < 0 || strcmp(normalized, again) != 0)
		abort();
	reference_familiar(normalized, &repository, &tag);
	return 0;
}
