/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_LOGS_JOURNAL_LINES_H
#define COMPOSE_CLI_LOGS_JOURNAL_LINES_H

/*
 * journal_lines.h - lines of a container's log out of entries of systemd's journal: the parts of a
 * long one are joined, and an entry that was sent twice counts once (compose/control/log_spool.h).
 * Anybody can write entries with our fields, so nothing in them is taken for granted. Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/str.h"

#include "compose/cli/logs/log_reader.h"
#include "compose/control/log_spool.h"

/* The value of a field of an entry: any bytes, no string, as long as the entry is; false: none. */
struct journal_fields {
	bool (*get)(void *context, const char *name, const char **ret, size_t *ret_size);
	void *context;
	int64_t nsec; /* when the journal says that it came */
};

struct journal_lines {
	char epoch[LOG_EPOCH_MAX];
	uint64_t ordinal; /* seen last, of that epoch */
	struct {
		struct strbuf text;
		int64_t nsec;
	} parts[2];
	struct strbuf given;
};

void journal_lines_done(struct journal_lines *lines);

/* The number of the entry in its epoch; false: it has none. */
bool journal_lines_number(const struct journal_fields *fields, char epoch[LOG_EPOCH_MAX],
			  uint64_t *ret);
/* The entry is a line, or the last part of one. */
bool journal_lines_ends(const struct journal_fields *fields);
/* True when a line is complete with this entry: *ret lives until the next one is. */
bool journal_lines_take(struct journal_lines *lines, const struct journal_fields *fields,
			struct log_record *ret);

#endif
