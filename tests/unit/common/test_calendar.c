// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "common/calendar.h"
#include "common/cleanup.h"

/* In UTC, "2026-11-27 12:00:00". */
static int64_t moment(const char *text)
{
	struct tm tm = {0};

	cr_assert(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
	return timegm(&tm);
}

static void expect(const char *expression, const char *after, const char *next)
{
	struct error err = ERROR_INIT;
	struct calendar calendar;
	char text[64] = "never";
	int64_t at;

	cr_assert_eq(calendar_parse(expression, &calendar, &err), 0, "%s: %s", expression,
		     err.message);
	at = calendar_next(&calendar, moment(after));
	if (at >= 0) {
		time_t t = at;
		struct tm tm;

		gmtime_r(&t, &tm);
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	}
	cr_assert_str_eq(text, next, "%s after %s: %s, not %s", expression, after, text, next);
}

/* What `systemd-analyze calendar --base-time` says of the same. */
Test(calendar, next)
{
	static const struct {
		const char *expression, *after, *next;
	} rows[] = {
		{"minutely UTC", "2026-11-27 12:00:00", "2026-11-27 12:01:00"},
		{"hourly UTC", "2026-11-27 12:00:00", "2026-11-27 13:00:00"},
		{"daily UTC", "2026-11-27 12:00:00", "2026-11-28 00:00:00"},
		{"weekly UTC", "2026-11-27 12:00:00", "2026-11-30 00:00:00"},
		{"monthly UTC", "2026-11-27 12:00:00", "2026-12-01 00:00:00"},
		{"quarterly UTC", "2026-11-27 12:00:00", "2027-01-01 00:00:00"},
		{"semiannually UTC", "2026-11-27 12:00:00", "2027-01-01 00:00:00"},
		{"yearly UTC", "2026-11-27 12:00:00", "2027-01-01 00:00:00"},
		{"03:30 UTC", "2026-11-27 12:00:00", "2026-11-28 03:30:00"},
		{"*:0/15 UTC", "2026-11-27 12:14:59", "2026-11-27 12:15:00"},
		{"*:*:0/20 UTC", "2026-11-27 12:14:41", "2026-11-27 12:15:00"},
		{"Mon..Fri *-*-* 03:00 UTC", "2026-11-27 12:00:00", "2026-11-30 03:00:00"},
		{"Sat,Sun 20:00 UTC", "2026-11-27 12:00:00", "2026-11-28 20:00:00"},
		{"Fri..Mon 20:00 UTC", "2026-12-01 00:00:00", "2026-12-04 20:00:00"},
		{"*-02-29 UTC", "2026-11-27 12:00:00", "2028-02-29 00:00:00"},
		{"*-*~01 23:59:59 UTC", "2026-11-27 12:00:00", "2026-11-30 23:59:59"},
		{"Mon *-05~07/1 UTC", "2026-11-27 12:00:00", "2027-05-31 00:00:00"},
		{"2020..2030/5-1,7-1 UTC", "2026-11-27 12:00:00", "2030-01-01 00:00:00"},
		{"2003-03-05 05:40 UTC", "2026-11-27 12:00:00", "never"},
		{"*-02-30 UTC", "2026-11-27 12:00:00", "never"},
		{"12..14:10,20,30 UTC", "2026-11-27 12:30:00", "2026-11-27 13:10:00"},
		/* The hour that is not, and the one that comes twice. */
		{"*-*-* 02:30 Europe/Berlin", "2026-03-28 12:00:00", "2026-03-29 01:30:00"},
		{"*-*-* 12:00 Europe/Berlin", "2026-07-01 12:00:00", "2026-07-02 10:00:00"},
		{"*:30 Europe/Berlin", "2026-10-25 00:30:00", "2026-10-25 02:30:00"},
	};

	array_foreach(row, rows) {
		if (row->after)
			expect(row->expression, row->after, row->next);
	}
}

Test(calendar, bad)
{
	static const struct {
		const char *expression, *error;
	} rows[] = {
		{"", "no calendar expression"},
		{"UTC", "no calendar expression"},
		{"often", "\"often\" is no time zone"},
		{"*-13-01", "\"13\" is no month"},
		{"*-*-32", "\"32\" is no day"},
		{"25:00", "\"25\" is no hour"},
		{"12:60", "\"60\" is no minute"},
		{"12:00:61", "\"61\" is no second"},
		{"12:00:00.5", "\"00.5\" is no second"},
		{"0 3 * * *", "\"0\" is no date"},
		{"Mon..Foo 12:00", "\"Mon..Foo\" is no day of the week"},
		{"12:00 Mon", "\"Mon\" does not belong there"},
		{"*-*-* *-*-*", "\"*-*-*\" does not belong there"},
		{"*/0:00", "\"*/0\" is no hour"},
		{"5..3:00", "\"5..3\" is no hour"},
		{"*:99999999999999999999", "is no minute"},
		{"daily ../../etc/passwd", "is no time zone"},
		{"*-*~1-1", "is no date"},
	};

	array_foreach(row, rows) {
		struct error err = ERROR_INIT;
		struct calendar calendar;

		cr_assert_eq(calendar_parse(row->expression, &calendar, &err), -EINVAL, "%s",
			     row->expression);
		cr_assert(strstr(err.message, row->error), "%s: %s", row->expression, err.message);
	}
}
