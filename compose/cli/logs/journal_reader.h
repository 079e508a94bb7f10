/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_LOGS_JOURNAL_READER_H
#define COMPOSE_CLI_LOGS_JOURNAL_READER_H

/*
 * journal_reader.h - what of one container's log is in systemd's journal: lines as log_reader.h
 * gives those of files, parts of long ones joined, none twice. All use of sd-journal is here.
 *
 * The journal stores what it was sent a moment later. Where the container's log_spool.h says that
 * it was sent more than is stored, its arrival is waited for, at most two seconds.
 */

#include "compose/cli/logs/log_reader.h"

struct journal_reader;

/*
 * Of container @id, whose log directory is @path. -ENOENT: nothing of it ever went to the journal,
 * without a message in @err.
 */
int journal_reader_open(const char *path, const char *id, const struct log_reader_options *options,
			struct journal_reader **ret, struct error *err);
void journal_reader_free(struct journal_reader *reader);

/* 1: *ret is the next line. 0: none now. -errno. */
int journal_reader_next(struct journal_reader *reader, struct log_record *ret);
/* The container has ended: what it said last is to be there when lines are asked for. */
void journal_reader_settle(struct journal_reader *reader);
/* To be polled for reading; -1 when not following. */
int journal_reader_fd(const struct journal_reader *reader);

#endif
