/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_LOGS_JOURNAL_H
#define COMPOSE_SUPERVISOR_LOGS_JOURNAL_H

/*
 * journal.h - the one batch that is between a pipe and a log file, in a mapped file.
 *
 * The kernel copies from the pipe into the mapping, so there is no moment at which bytes are in
 * this process only. What a read of a killed supervisor gave is known even if it never returned
 * to it: the room was zeroed before, and ends where the zeroes begin. (Only NULs at the very end
 * of that one read cannot be told from none.) The batch says which log it is for, and how far it
 * has come, so that a new supervisor can finish it alone.
 */

#include "compose/supervisor/logs/log_driver.h"

#define JOURNAL_ROOM (256 * 1024) /* the most that one read takes */

/* From now on a batch is for this log. Cheap when it is the same as before. */
void log_journal_begin(struct log_journal *journal, struct log_sink *sink,
		       const struct log_options *options, enum log_stream stream);
/* Where to read to, JOURNAL_ROOM bytes. */
char *log_journal_room(struct log_journal *journal);
/* Stores the @size bytes that were read (0: none after all) and is ready for the next batch. */
void log_journal_store(struct log_journal *journal, struct log_sink *sink, size_t size);
/* The sink is about to be closed. */
void log_journal_forget(struct log_journal *journal, const struct log_sink *sink);

#endif
