/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_LOGS_LOG_READER_H
#define COMPOSE_CLI_LOGS_LOG_READER_H

/*
 * log_reader.h - one container's log, read from its directory (compose/control/log_name.h; CRI
 * form: "TIME stdout|stderr F|P text").
 *
 * Gives whole lines in the order they were stored, from the oldest file to the newest, and goes
 * on across rotations without losing or doubling one. What rotation deletes while it is being
 * read is read on. Only what was made and deleted between two looks is lost, and then it is known
 * how much (log_reader_lost()). Needs nobody's help: the supervisor is not asked.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct log_reader;

struct log_record {
	int64_t nsec;     /* since the epoch: when the line's first part was stored */
	int stream;       /* 1: stdout, 2: stderr */
	const char *text; /* without the newline; any bytes; valid until the next call */
	size_t size;
	bool unfinished; /* no newline yet: the log ended, or more of a line over 1 MiB follows */
};

#define LOG_TAIL_ALL (-1)

struct log_reader_options {
	int64_t tail;       /* so many last lines; LOG_TAIL_ALL */
	int64_t since_nsec; /* 0: from the start; lines at or after it */
	int64_t until_nsec; /* 0: no end; lines at or before it */
	bool follow;
};

/* -ENOENT: there is no such directory. An empty one is an empty log. */
int log_reader_open(const char *path, const struct log_reader_options *options,
		    struct log_reader **ret, struct error *err);
void log_reader_free(struct log_reader *reader);

/*
 * 1: *ret is the next line. 0: none now (see log_reader_ended()). Negative: -errno. Lines that the
 * filters drop are passed over; malformed ones too.
 */
int log_reader_next(struct log_reader *reader, struct log_record *ret);

/*
 * Whether nothing more can come: not following and all was given, `until` passed, or the
 * directory was removed.
 */
bool log_reader_ended(const struct log_reader *reader);

/*
 * The container ended at @nsec, and may start again: an unfinished line that was begun until then
 * is given as it is, once all that is stored was given.
 */
void log_reader_cut(struct log_reader *reader, int64_t nsec);

/* Log files that rotation deleted before they could be opened; those told once are not told again.
 */
uint64_t log_reader_lost(struct log_reader *reader);

/*
 * The container has ended and its log is complete: as if it were not followed any more. Call
 * log_reader_next() until it gives 0 again; an unfinished last line comes too.
 */
void log_reader_stop_following(struct log_reader *reader);

/* Readable when log_reader_next() may give more; -1 when not following. Not to be read by others.
 */
int log_reader_fd(const struct log_reader *reader);

#endif
