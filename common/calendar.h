/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_CALENDAR_H
#define COMMON_CALENDAR_H

/*
 * calendar.h - calendar expressions as systemd.time(7) has them: "Mon..Fri *-*-* 03:00", "hourly".
 *
 *     [WEEKDAYS] [[YEAR-]MONTH-DAY] [HOUR:MINUTE[:SECOND]] [UTC | Area/City]
 *
 * Each part of a date or time is *, or values, ranges a..b and repetitions a/step between commas;
 * "~" before the day counts from the end of the month. Whole seconds only.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

#define CALENDAR_RANGES_MAX 32

/* first, first + step, ... up to last. */
struct calendar_range {
	int first, last, step;
};

struct calendar_part {
	struct calendar_range ranges[CALENDAR_RANGES_MAX];
	unsigned int count;
};

struct calendar {
	unsigned int weekdays; /* bit 0: Sunday */
	bool days_from_end;    /* day 1 is the last of the month */
	struct calendar_part years, months, days, hours, minutes, seconds;
	char zone[64]; /* "": the local one */
};

/* -EINVAL with what is wrong. */
int calendar_parse(const char *text, struct calendar *ret, struct error *err);
/*
 * The first moment after @after, both in seconds since 1970. -1: there is none (before 2200).
 * Changes the process's TZ for the time of the call when the expression names a zone.
 */
int64_t calendar_next(const struct calendar *calendar, int64_t after);

#endif
