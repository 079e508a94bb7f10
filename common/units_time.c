// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * units_time.c - points in time. Written for every log line, so without gmtime() and its lock.
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/units.h"

#define NSEC_PER_SEC INT64_C(1000000000)

static char *put_digits(char *at, unsigned value, int digits)
{
	for (int i = digits - 1; i >= 0; i--, value /= 10)
		at[i] = (char)('0' + value % 10);
	return at + digits;
}

/* Days since 1970-01-01 to a date of the Gregorian calendar; years begin in March inside. */
static void civil_from_days(int64_t days, int *ret_year, unsigned *ret_month, unsigned *ret_day)
{
	int64_t shifted = days + 719468, era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	unsigned day_of_era = (unsigned)(shifted - era * 146097);
	unsigned year =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	unsigned day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
	unsigned month = (5 * day_of_year + 2) / 153;

	*ret_day = day_of_year - (153 * month + 2) / 5 + 1;
	*ret_month = month < 10 ? month + 3 : month - 9;
	*ret_year = (int)(year + (unsigned)(era * 400)) + (*ret_month <= 2);
}

static int64_t days_from_civil(int year, unsigned month, unsigned day)
{
	int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400;
	unsigned year_of_era = (unsigned)(y - era * 400);
	unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * INT64_C(365) + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

const char *units_format_time(int64_t nsec_since_epoch, char *buffer, size_t size)
{
	int64_t seconds = nsec_since_epoch / NSEC_PER_SEC, nsec = nsec_since_epoch % NSEC_PER_SEC;
	int64_t days;
	unsigned month, day, second_of_day;
	char text[UNITS_TIME_MAX], *at = text;
	int year;

	if (nsec < 0) {
		nsec += NSEC_PER_SEC;
		seconds--;
	}
	days = seconds / 86400 - (seconds % 86400 < 0);
	second_of_day = (unsigned)(seconds - days * 86400);
	civil_from_days(days, &year, &month, &day);
	at = put_digits(at, (unsigned)year, 4);
	*at++ = '-';
	at = put_digits(at, month, 2);
	*at++ = '-';
	at = put_digits(at, day, 2);
	*at++ = 'T';
	at = put_digits(at, second_of_day / 3600, 2);
	*at++ = ':';
	at = put_digits(at, second_of_day / 60 % 60, 2);
	*at++ = ':';
	at = put_digits(at, second_of_day % 60, 2);
	*at++ = '.';
	at = put_digits(at, (unsigned)nsec, 9);
	*at++ = 'Z';
	*at++ = '\0';
	if (size > 0) {
		size_t length = (size_t)(at - text) < size ? (size_t)(at - text) : size;

		memcpy(buffer, text, length);
		buffer[length - 1] = '\0';
	}
	return buffer;
}

/* Exactly @digits digits at *s, within bounds. */
static bool read_number(const char **s, int digits, unsigned low, unsigned high, unsigned *ret)
{
	unsigned value = 0;

	for (int i = 0; i < digits; i++, (*s)++) {
		if (!isdigit((unsigned char)**s))
			return false;
		value = value * 10 + (unsigned)(**s - '0');
	}
	*ret = value;
	return value >= low && value <= high;
}

static bool read_char(const char **s, const char *any_of)
{
	if (!**s || !strchr(any_of, **s))
		return false;
	(*s)++;
	return true;
}

/* ".123" as nanoseconds; further digits are dropped. */
static bool read_fraction(const char **s, int64_t *ret_nsec)
{
	int64_t unit = NSEC_PER_SEC;

	if (!read_char(s, "."))
		return true;
	if (!isdigit((unsigned char)**s))
		return false;
	for (; isdigit((unsigned char)**s); (*s)++) {
		unit /= 10;
		*ret_nsec += unit * (**s - '0');
	}
	return true;
}

struct moment {
	unsigned year, month, day, hour, minute, second;
	int64_t nsec;
};

static bool read_date(const char **s, struct moment *m)
{
	static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap;

	if (!read_number(s, 4, 1678, 2261, &m->year) || !read_char(s, "-") ||
	    !read_number(s, 2, 1, 12, &m->month) || !read_char(s, "-") ||
	    !read_number(s, 2, 1, 31, &m->day))
		return false;
	leap = m->year % 4 == 0 && (m->year % 100 != 0 || m->year % 400 == 0);
	return m->day <= lengths[m->month - 1] + (unsigned)(leap && m->month == 2);
}

static bool read_clock(const char **s, struct moment *m)
{
	if (!read_number(s, 2, 0, 23, &m->hour) || !read_char(s, ":") ||
	    !read_number(s, 2, 0, 59, &m->minute))
		return false;
	if (!read_char(s, ":"))
		return true;
	return read_number(s, 2, 0, 60, &m->second) && read_fraction(s, &m->nsec);
}

/* No zone means the user's own, as with docker. */
static int64_t local_seconds(const struct moment *m)
{
	struct tm tm = {
		.tm_year = (int)m->year - 1900,
		.tm_mon = (int)m->month - 1,
		.tm_mday = (int)m->day,
		.tm_hour = (int)m->hour,
		.tm_min = (int)m->minute,
		.tm_sec = (int)m->second,
		.tm_isdst = -1,
	};

	return mktime(&tm);
}

static int64_t utc_seconds(const struct moment *m)
{
	return days_from_civil((int)m->year, m->month, m->day) * 86400 + m->hour * INT64_C(3600) +
	       m->minute * INT64_C(60) + m->second;
}

static int parse_calendar(const char *s, int64_t *ret_nsec)
{
	struct moment m = {0};
	unsigned hours, minutes;
	int64_t seconds;

	if (!read_date(&s, &m))
		return -EINVAL;
	if (*s && (!read_char(&s, "Tt ") || !read_clock(&s, &m)))
		return -EINVAL;
	if (*s == '\0') {
		seconds = local_seconds(&m);
	} else if (read_char(&s, "Zz")) {
		seconds = utc_seconds(&m);
	} else {
		int sign = *s == '-' ? -1 : 1;

		if (!read_char(&s, "+-") || !read_number(&s, 2, 0, 23, &hours) ||
		    !read_char(&s, ":") || !read_number(&s, 2, 0, 59, &minutes))
			return -EINVAL;
		seconds = utc_seconds(&m) - sign * (int64_t)(hours * 3600 + minutes * 60);
	}
	if (*s)
		return -EINVAL;
	*ret_nsec = seconds * NSEC_PER_SEC + m.nsec;
	return 0;
}

static int parse_unix(const char *s, int64_t *ret_nsec)
{
	int64_t seconds = 0, nsec = 0;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	for (; isdigit((unsigned char)*s); s++) {
		seconds = seconds * 10 + (*s - '0');
		if (seconds >= INT64_MAX / NSEC_PER_SEC)
			return -ERANGE;
	}
	if (!read_fraction(&s, &nsec) || *s)
		return -EINVAL;
	*ret_nsec = seconds * NSEC_PER_SEC + nsec;
	return 0;
}

int units_parse_time(const char *s, int64_t now_nsec, int64_t *ret_nsec)
{
	int64_t usec;

	if (parse_calendar(s, ret_nsec) == 0)
		return 0;
	/* Digits alone are a point in time, so ask for that before the durations ("0"). */
	if (s[strspn(s, "0123456789.")] == '\0')
		return parse_unix(s, ret_nsec);
	if (units_parse_duration(s, &usec) < 0)
		return -EINVAL;
	if (__builtin_mul_overflow(usec, 1000, &usec) ||
	    __builtin_sub_overflow(now_nsec, usec, ret_nsec))
		return -ERANGE;
	return 0;
}
