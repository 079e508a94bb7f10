/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_LOGS_LOG_FILES_H
#define COMPOSE_CLI_LOGS_LOG_FILES_H

/*
 * log_files.h - the files of one log, which may be rotated under our eyes, and their lines.
 *
 * Who has read a file knows its number and therefore its successor's (compose/control/log_name.h):
 * either that one is there, or it is not there yet, or it was removed, and which of these it is
 * can be told.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_file_record {
	int64_t nsec;
	int stream;
	bool partial;
	const char *text;
	size_t size;
};

/* One line of a log file, without its newline. False: it is none. */
bool log_file_parse(const char *line, size_t size, struct log_file_record *ret);

struct log_file_start {
	int fd;          /* -EBADF: there is no file yet */
	uint64_t number; /* of the file */
	int64_t offset;
	uint64_t skip; /* whole lines from there that are not asked for */
};

/* The oldest file that was written to at or after @since_nsec (0: whenever). */
int log_files_oldest(int dirfd, int64_t since_nsec, struct log_file_start *ret);

/* Where to start for the last @lines lines; reads backwards and no more than it must. */
int log_files_tail(int dirfd, uint64_t lines, struct log_file_start *ret);

#endif
