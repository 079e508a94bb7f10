/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

/*
 * log.h - what the edges of the program tell whoever operates it.
 *
 * To stderr as "berth: message", or, where stderr is a journal stream, with a priority prefix.
 * The supervisor has its stderr in its own log file. BERTH_DEBUG=1 shows log_debug.
 */

#include "common/error.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
/* Put before each message instead of "berth". Copied. */
void log_set_name(const char *name);
/* Puts the time before each message: for a log file that nothing else stamps. */
void log_set_time(int on);
void log_message(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...)   log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
