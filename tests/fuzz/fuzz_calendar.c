// SPDX-License-Identifier: GPL-2.0-or-later
/* Calendar expressions: the next moment is after the one asked from, and none is passed over. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/calendar.h"
#include "common/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = alloc_string_n((const char *)data, size);
	const int64_t now = 1700000000;
	struct calendar calendar;
	struct error err = ERROR_INIT;
	int64_t next;

	if (calendar_parse(text, &calendar, &err) < 0) {
		if (!err.message[0])
			abort();
		return 0;
	}
	next = calendar_next(&calendar, now);
	if (next == -1)
		return 0;
	/* The moment before it has the same next one. */
	if (next <= now || calendar_next(&calendar, next - 1) != next)
		abort();
	return 0;
}
