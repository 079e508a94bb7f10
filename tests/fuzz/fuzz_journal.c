// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Entries of systemd's journal as anybody may send them: "NAME=value" lines, a blank one ends an
 * entry. Lines come out whole, in bounds, and never more of them than entries went in.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "compose/cli/logs/journal_lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct entry {
	const char *text;
	size_t size;
};

static bool get(void *context, const char *name, const char **ret, size_t *ret_size)
{
	const struct entry *entry = context;
	const char *at = entry->text, *end = entry->text + entry->size;
	size_t length = strlen(name);

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at)) ?: end;

		if ((size_t)(newline - at) > length && at[length] == '=' &&
		    memcmp(at, name, length) == 0) {
			*ret = at + length + 1;
			*ret_size = (size_t)(newline - *ret);
			return true;
		}
		at = newline + 1;
	}
	return false;
}

static size_t entry_size(const char *text, size_t size)
{
	const char *end = memmem(text, size, "\n\n", 2);

	return end ? (size_t)(end - text) + 1 : size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct journal_lines lines = {0};
	size_t given = 0;

	while (size) {
		struct entry entry = {text, entry_size(text, size)};
		const struct journal_fields fields = {get, &entry, 1};
		struct log_record record;

		if (journal_lines_take(&lines, &fields, &record)) {
			if (record.size && !record.text)
				abort();
			given += record.size;
		}
		text += entry.size;
		size -= entry.size;
		for (; size && *text == '\n'; text++)
			size--;
	}
	if (given > (size_t)(text - (const char *)data))
		abort();
	journal_lines_done(&lines);
	return 0;
}
