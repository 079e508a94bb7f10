/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_LOGS_LOG_PRINTER_H
#define COMPOSE_CLI_LOGS_LOG_PRINTER_H

/*
 * log_printer.h - lines of several containers on our stdout and stderr, each behind its
 * container's name. Only whole lines are written, in the order they were given, whichever of the
 * two streams they go to: none is ever torn by another. Behind a prefix on a terminal they keep
 * their colours, but not what moves the cursor or clears the screen; anywhere else they are the
 * bytes that were written.
 */

#include <stdbool.h>

#include "common/str.h"

#include "compose/cli/logs/log_reader.h"

struct log_printer {
	bool prefix, timestamps, color;
	size_t width;             /* of the longest name so far */
	struct strbuf lines;      /* not written yet ... */
	int fd;                   /* ... and where they go */
	int write_error;          /* errno of what could not be written; 0: none */
	signed char terminals[2]; /* stdout and stderr: 1 it is one, -1 not, 0 not asked yet */
};

/* Names only ever make the column wider. */
void log_printer_add_name(struct log_printer *printer, const char *name);

/* @index chooses the colour. */
void log_printer_print(struct log_printer *printer, const char *name, unsigned int index,
		       const struct log_record *record);

/* "web-1 exited with code 0" on stdout. */
void log_printer_exited(struct log_printer *printer, const char *name, unsigned int index,
			int exit_code);

/* Writes what was printed. */
void log_printer_flush(struct log_printer *printer);
void log_printer_done(struct log_printer *printer);

#endif
