/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

/*
 * log.h - what the edges of the program tell whoever operates it.
 *
 * To stderr as "berth: message". Where stderr leads to systemd's journal (a unit's does), as
 * entries of it instead, which say in fields what they are about. Outside of units the supervisor
 * has its stderr in its own log file. BERTH_DEBUG=1 shows log_debug.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
/* Put before each message instead of "berth". Copied. */
void log_set_name(const char *name);
/* Puts the time before each message: for a log file that nothing else stamps. */
void log_set_time(int on);
void log_message(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A field of the journal's, systemd.journal-fields(7); one without a value is left out. */
struct log_field {
	const char *name, *value;
};
/* The same for every entry of this process. Copied. */
void log_set_field(const char *name, const char *value);
/* Fills in what the journal is to know of a message, going by its text. Their number. */
#define LOG_FIELDS_MAX 8
typedef size_t log_describe(const char *text, struct log_field ret[LOG_FIELDS_MAX]);
void log_set_describe(log_describe *describe);
void log_entry(enum log_level level, const struct log_field *fields, size_t count,
	       const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Whether stderr leads to the journal. */
bool log_in_journal(void);

#define log_error(...)   log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
