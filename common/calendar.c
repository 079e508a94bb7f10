// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/calendar.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#define YEAR_FIRST 1970
#define YEAR_LAST  2199
#define ALL_DAYS   0x7fU
#define ZONE_PATH  "/usr/share/zoneinfo/"

/* --- reading --- */

static const struct {
	const char *word, *expression;
} shorthands[] = {
	{"minutely", "*-*-* *:*:00"},
	{"hourly", "*-*-* *:00:00"},
	{"daily", "*-*-* 00:00:00"},
	{"monthly", "*-*-01 00:00:00"},
	{"weekly", "Mon *-*-* 00:00:00"},
	{"yearly", "*-01-01 00:00:00"},
	{"annually", "*-01-01 00:00:00"},
	{"quarterly", "*-01,04,07,10-01 00:00:00"},
	{"semiannually", "*-01,07-01 00:00:00"},
	{"biannually", "*-01,07-01 00:00:00"},
	{"bi-annually", "*-01,07-01 00:00:00"},
	{"semi-annually", "*-01,07-01 00:00:00"},
};

static const char *const weekday_names[] = {"sunday",   "monday", "tuesday", "wednesday",
					    "thursday", "friday", "saturday"};

/* What a part may hold. */
struct part_kind {
	const char *name;
	int first, last;
	bool descending; /* its ranges go down: days from the end of a month */
};

static const struct part_kind kind_year = {"year", YEAR_FIRST, YEAR_LAST};
static const struct part_kind kind_month = {"month", 1, 12};
static const struct part_kind kind_day = {"day", 1, 31};
static const struct part_kind kind_day_from_end = {"day", 1, 31, true};
static const struct part_kind kind_hour = {"hour", 0, 23};
static const struct part_kind kind_minute = {"minute", 0, 59};
static const struct part_kind kind_second = {"second", 0, 59};

static int bad_part(const struct part_kind *kind, const char *text, struct error *err)
{
	return error_set(err, EINVAL,
			 "\"%s\" is no %s: a number from %d to %d, *, a..b, a/step, several with "
			 "commas",
			 text, kind->name, kind->first, kind->last);
}

static bool read_number(const char **at, int *ret)
{
	char *end;
	long value;

	if (!isdigit((unsigned char)**at))
		return false;
	value = strtol(*at, &end, 10);
	if (value > INT_MAX)
		return false;
	*ret = (int)value;
	*at = end;
	return true;
}

/* 7..1/2 is 1, 3, 5, 7. */
static void turn_around(struct calendar_range *range)
{
	int last = range->last;

	range->last = range->first;
	range->first -= (range->first - last) / range->step * range->step;
}

static int read_range(const char *text, const struct part_kind *kind, struct calendar_range *ret,
		      struct error *err)
{
	const char *at = text;
	bool open_end = false;

	*ret = (struct calendar_range){kind->first, kind->last, 1};
	if (kind->descending)
		*ret = (struct calendar_range){kind->last, kind->first, 1};
	if (*at == '*') {
		at++;
	} else {
		if (!read_number(&at, &ret->first))
			return bad_part(kind, text, err);
		/* Two digits are a year near ours, as systemd reads them. */
		if (kind == &kind_year && ret->first < 100)
			ret->first += ret->first < 70 ? 2000 : 1900;
		ret->last = ret->first;
		open_end = true;
		if (str_starts_with(at, "..")) {
			at += 2;
			open_end = false;
			if (!read_number(&at, &ret->last))
				return bad_part(kind, text, err);
		}
	}
	if (*at == '/') {
		at++;
		if (!read_number(&at, &ret->step) || ret->step < 1)
			return bad_part(kind, text, err);
		if (open_end)
			ret->last = kind->descending ? kind->first : kind->last;
	}
	if (kind->descending && ret->first >= ret->last)
		turn_around(ret);
	if (*at || ret->first < kind->first || ret->last > kind->last || ret->first > ret->last)
		return bad_part(kind, text, err);
	return 0;
}

static int read_part(const char *text, const struct part_kind *kind, struct calendar_part *ret,
		     struct error *err)
{
	_cleanup_strv_ char **words = strv_split(text, ",");

	if (!words || !words[0])
		return bad_part(kind, text, err);
	ret->count = 0;
	strv_foreach(word, words) {
		if (ret->count == CALENDAR_RANGES_MAX)
			return error_set(err, EINVAL, "more than %d values of one %s",
					 CALENDAR_RANGES_MAX, kind->name);
		if (read_range(word, kind, &ret->ranges[ret->count++], err) < 0)
			return -err->code;
	}
	return 0;
}

/* Mon and Monday; -1: none. */
static int weekday_of(const char *word, size_t length)
{
	for (int day = 0; day < 7; day++)
		if ((length == 3 || length == strlen(weekday_names[day])) &&
		    !strncasecmp(word, weekday_names[day], length))
			return day;
	return -1;
}

static int read_weekdays(const char *text, unsigned int *ret, struct error *err)
{
	_cleanup_strv_ char **words = strv_split(text, ",");

	*ret = 0;
	strv_foreach(word, words) {
		const char *dots = strstr(word, "..");
		size_t length = dots ? (size_t)(dots - word) : strlen(word);
		int from = weekday_of(word, length);
		int to = dots ? weekday_of(dots + 2, strlen(dots + 2)) : from;

		if (from < 0 || to < 0)
			return error_set(err, EINVAL, "\"%s\" is no day of the week", word);
		for (int day = from;; day = (day + 1) % 7) {
			*ret |= 1U << day;
			if (day == to)
				break;
		}
	}
	return 0;
}

static int read_date(const char *text, struct calendar *ret, struct error *err)
{
	_cleanup_free_ char *copy = alloc_string(text);
	char *tilde = strchr(copy, '~');
	_cleanup_strv_ char **parts = NULL;
	size_t count;

	if (tilde) {
		*tilde = '-';
		ret->days_from_end = true;
	}
	parts = strv_split(copy, "-");
	count = strv_length(parts);
	if (count < 2 || count > 3 || (tilde && strchr(tilde + 1, '-')))
		return error_set(err, EINVAL, "\"%s\" is no date: write [YEAR-]MONTH-DAY", text);
	if (count == 3 && read_part(parts[0], &kind_year, &ret->years, err) < 0)
		return -err->code;
	if (read_part(parts[count - 2], &kind_month, &ret->months, err) < 0)
		return -err->code;
	return read_part(parts[count - 1], tilde ? &kind_day_from_end : &kind_day, &ret->days, err);
}

static int read_time(const char *text, struct calendar *ret, struct error *err)
{
	_cleanup_strv_ char **parts = strv_split(text, ":");
	size_t count = strv_length(parts);

	if (count < 2 || count > 3)
		return error_set(err, EINVAL, "\"%s\" is no time: write HOUR:MINUTE[:SECOND]",
				 text);
	if (read_part(parts[0], &kind_hour, &ret->hours, err) < 0 ||
	    read_part(parts[1], &kind_minute, &ret->minutes, err) < 0)
		return -err->code;
	return count == 3 ? read_part(parts[2], &kind_second, &ret->seconds, err) : 0;
}

static int read_zone(const char *text, struct calendar *ret, struct error *err)
{
	_cleanup_free_ char *path = str_printf(ZONE_PATH "%s", text);

	if (!strcasecmp(text, "UTC") || !strcasecmp(text, "Z")) {
		strcpy(ret->zone, "UTC");
		return 0;
	}
	if (strlen(text) >= sizeof(ret->zone) || strstr(text, "..") || text[0] == '/' ||
	    access(path, R_OK) < 0)
		return error_set(err, EINVAL, "\"%s\" is no time zone", text);
	strcpy(ret->zone, text);
	return 0;
}

static const struct calendar every_day = {
	.weekdays = ALL_DAYS,
	.years = {{{YEAR_FIRST, YEAR_LAST, 1}}, 1},
	.months = {{{1, 12, 1}}, 1},
	.days = {{{1, 31, 1}}, 1},
	.hours = {{{0, 0, 1}}, 1},
	.minutes = {{{0, 0, 1}}, 1},
	.seconds = {{{0, 0, 1}}, 1},
};

/* The parts come in this order, each at most once. */
enum word_kind { WORD_WEEKDAYS, WORD_DATE, WORD_TIME, WORD_ZONE };

static enum word_kind kind_of_word(const char *word)
{
	if (strchr(word, ':'))
		return WORD_TIME;
	if (isdigit((unsigned char)word[0]) || word[0] == '*')
		return WORD_DATE;
	return weekday_of(word, strcspn(word, ",.")) >= 0 ? WORD_WEEKDAYS : WORD_ZONE;
}

static int read_word(const char *word, enum word_kind kind, struct calendar *ret, struct error *err)
{
	switch (kind) {
	case WORD_WEEKDAYS:
		return read_weekdays(word, &ret->weekdays, err);
	case WORD_DATE:
		return read_date(word, ret, err);
	case WORD_TIME:
		return read_time(word, ret, err);
	default:
		return read_zone(word, ret, err);
	}
}

int calendar_parse(const char *text, struct calendar *ret, struct error *err)
{
	_cleanup_strv_ char **words = NULL;
	int last = -1;
	bool any = false;

	*ret = every_day;
	words = strv_split(text, " ");
	array_foreach(row, shorthands) {
		if (words && words[0] && !strcasecmp(words[0], row->word)) {
			_cleanup_free_ char *rest = strv_join(words + 1, " ");
			_cleanup_free_ char *whole =
				str_printf("%s %s", row->expression, rest ?: "");

			return calendar_parse(whole, ret, err);
		}
	}
	strv_foreach(word, words) {
		enum word_kind kind = kind_of_word(word);

		if (!word[0])
			continue;
		if ((int)kind <= last)
			return error_set(err, EINVAL, "\"%s\" does not belong there", word);
		last = (int)kind;
		any = any || kind != WORD_ZONE;
		if (read_word(word, kind, ret, err) < 0)
			return -err->code;
	}
	if (!any)
		return error_set(err, EINVAL,
				 "no calendar expression; such are \"hourly\" and \"Mon..Fri "
				 "03:30\"");
	return 0;
}

/* --- computing --- */

/* The smallest value of @part from @from on, or -1. */
static int part_next(const struct calendar_part *part, int from)
{
	int best = -1;

	for (unsigned int i = 0; i < part->count; i++) {
		const struct calendar_range *range = &part->ranges[i];
		int value = range->first;

		if (from > value)
			value += (from - value + range->step - 1) / range->step * range->step;
		if (value <= range->last && (best < 0 || value < best))
			best = value;
	}
	return best;
}

static int days_of_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static int weekday_of_date(int year, int month, int day)
{
	struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};

	timegm(&tm);
	return tm.tm_wday;
}

static bool day_fits(const struct calendar *calendar, int year, int month, int day)
{
	int counted = calendar->days_from_end ? days_of_month(year, month) - day + 1 : day;

	return part_next(&calendar->days, counted) == counted &&
	       (calendar->weekdays & (1U << weekday_of_date(year, month, day)));
}

/* The first day that fits, from (*year, *month, *day) on. */
static bool next_day(const struct calendar *calendar, int *year, int *month, int *day)
{
	while (*year <= YEAR_LAST) {
		int y = part_next(&calendar->years, *year);
		int m = y == *year ? part_next(&calendar->months, *month) : -1;

		if (y < 0)
			return false;
		if (m < 0) {
			*year = y > *year ? y : *year + 1;
			*month = *day = 1;
			continue;
		}
		if (m > *month)
			*day = 1;
		*month = m;
		for (; *day <= days_of_month(*year, *month); (*day)++)
			if (day_fits(calendar, *year, *month, *day))
				return true;
		*day = 1;
		if (++*month > 12) {
			*month = 1;
			(*year)++;
		}
	}
	return false;
}

/* The first time of a day that fits, from @tm's on. */
static bool next_time(const struct calendar *calendar, struct tm *tm)
{
	int hour, minute, second;

	for (hour = part_next(&calendar->hours, tm->tm_hour); hour >= 0;
	     hour = part_next(&calendar->hours, hour + 1)) {
		int from = hour == tm->tm_hour ? tm->tm_min : 0;

		for (minute = part_next(&calendar->minutes, from); minute >= 0;
		     minute = part_next(&calendar->minutes, minute + 1)) {
			bool now = hour == tm->tm_hour && minute == tm->tm_min;

			second = part_next(&calendar->seconds, now ? tm->tm_sec : 0);
			if (second < 0)
				continue;
			tm->tm_hour = hour;
			tm->tm_min = minute;
			tm->tm_sec = second;
			return true;
		}
	}
	return false;
}

static int64_t next_in_zone(const struct calendar *calendar, int64_t after)
{
	time_t from = (time_t)after + 1;
	struct tm now;
	int year, month, day;

	localtime_r(&from, &now);
	year = now.tm_year + 1900;
	month = now.tm_mon + 1;
	day = now.tm_mday;
	if (year < YEAR_FIRST)
		return -1;
	while (next_day(calendar, &year, &month, &day)) {
		bool today =
			year == now.tm_year + 1900 && month == now.tm_mon + 1 && day == now.tm_mday;
		struct tm tm = today ? now : (struct tm){0};

		while (next_time(calendar, &tm)) {
			struct tm at = {.tm_year = year - 1900,
					.tm_mon = month - 1,
					.tm_mday = day,
					.tm_hour = tm.tm_hour,
					.tm_min = tm.tm_min,
					.tm_sec = tm.tm_sec,
					.tm_isdst = -1};
			time_t found = mktime(&at);

			/* An hour that comes twice in autumn: the first was before. */
			if (found > (time_t)after)
				return found;
			if (++tm.tm_sec > 59) {
				tm.tm_sec = 0;
				if (++tm.tm_min > 59) {
					tm.tm_min = 0;
					tm.tm_hour++;
				}
			}
		}
		day++;
	}
	return -1;
}

int64_t calendar_next(const struct calendar *calendar, int64_t after)
{
	_cleanup_free_ char *before = NULL;
	int64_t next;

	if (!calendar->zone[0])
		return next_in_zone(calendar, after);
	before = alloc_string(getenv("TZ"));
	setenv("TZ", calendar->zone, 1);
	tzset();
	next = next_in_zone(calendar, after);
	if (before)
		setenv("TZ", before, 1);
	else
		unsetenv("TZ");
	tzset();
	return next;
}
