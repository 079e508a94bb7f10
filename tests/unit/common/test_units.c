// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/units.h"

Test(units, parse_bytes)
{
	static const struct {
		const char *text;
		int result;
		int64_t bytes;
	} rows[] = {
		{"0", 0, 0},
		{"512", 0, 512},
		{"64m", 0, 64 << 20},
		{"64M", 0, 64 << 20},
		{"64mb", 0, 64 << 20},
		{"64MiB", 0, 64 << 20},
		{"1.5gb", 0, INT64_C(3) << 29},
		{"1.5 g", 0, INT64_C(3) << 29},
		{"100b", 0, 100},
		{"2k", 0, 2048},
		{"2kb", 0, 2048},
		{"1t", 0, INT64_C(1) << 40},
		{"0.5", 0, 0},
		{"-1", 0, -1},
		{"9223372036854775807", 0, INT64_MAX},
		{"9223372036854775808", -ERANGE, 0},
		{"99999999999999999999", -ERANGE, 0},
		{"9007199254740992k", -ERANGE, 0},
		{"-2", -EINVAL, 0},
		{"", -EINVAL, 0},
		{"m", -EINVAL, 0},
		{"1x", -EINVAL, 0},
		{"1mm", -EINVAL, 0},
		{"1 m b", -EINVAL, 0},
		{".", -EINVAL, 0},
		{"1.2.3", -EINVAL, 0},
		{" 1", -EINVAL, 0},
	};

	array_foreach(row, rows) {
		int64_t bytes = 0;

		cr_expect_eq(units_parse_bytes(row->text, &bytes), row->result, "%s", row->text);
		if (row->result == 0)
			cr_expect_eq(bytes, row->bytes, "%s: %ld", row->text, bytes);
	}
}

Test(units, durations)
{
	static const struct {
		const char *text;
		int result;
		int64_t usec;
		const char *printed;
	} rows[] = {
		{"0", 0, 0, "0s"},
		{"0s", 0, 0, "0s"},
		{"10s", 0, 10000000, "10s"},
		{"1.5s", 0, 1500000, "1.5s"},
		{"1m30s", 0, 90000000, "1m30s"},
		{"90s", 0, 90000000, "1m30s"},
		{"1m", 0, 60000000, "1m0s"},
		{"1h5m30s20ms", 0, INT64_C(3930020000), "1h5m30.02s"},
		{"2h", 0, INT64_C(7200000000), "2h0m0s"},
		{"1d", 0, INT64_C(86400000000), "24h0m0s"},
		{"20ms", 0, 20000, "20ms"},
		{"1.25ms", 0, 1250, "1.25ms"},
		{"7us", 0, 7, "7\u00b5s"},
		{"7\u00b5s", 0, 7, "7\u00b5s"},
		{"7\u03bcs", 0, 7, "7\u00b5s"},
		{"1500ns", 0, 1, "1\u00b5s"},
		{".5s", 0, 500000, "500ms"},
		{"+1s", 0, 1000000, "1s"},
		{"", -EINVAL, 0, NULL},
		{"10", -EINVAL, 0, NULL},
		{"s", -EINVAL, 0, NULL},
		{"1s ", -EINVAL, 0, NULL},
		{"1x", -EINVAL, 0, NULL},
		{"-1s", -ERANGE, 0, NULL},
		{"9999999999999h", -ERANGE, 0, NULL},
		{"9223372036854775807w9223372036854775807w", -ERANGE, 0, NULL},
	};

	array_foreach(row, rows) {
		int64_t usec = 0;
		char text[64];

		cr_expect_eq(units_parse_duration(row->text, &usec), row->result, "%s", row->text);
		if (row->result < 0)
			continue;
		cr_expect_eq(usec, row->usec, "%s: %ld", row->text, usec);
		cr_expect_str_eq(units_format_duration(usec, text, sizeof(text)), row->printed,
				 "%s: %s", row->text, text);
	}
}

Test(units, format_size)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} rows[] = {
		{0, "0B"},
		{999, "999B"},
		{1000, "1kB"},
		{1234, "1.23kB"},
		{999949, "1MB"},
		{12345678, "12.3MB"},
		{187654321, "188MB"},
		{1000000000, "1GB"},
		{UINT64_MAX, "18.4EB"},
	};

	array_foreach(row, rows) {
		char text[32];

		cr_expect_str_eq(units_format_size(row->bytes, text, sizeof(text)), row->text,
				 "%s: %s", row->text, text);
	}
}

Test(units, format_ago)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} rows[] = {
		{-5, "Less than a second"}, {0, "Less than a second"}, {1, "1 second"},
		{59, "59 seconds"},         {60, "About a minute"},    {119, "About a minute"},
		{120, "2 minutes"},         {3599, "59 minutes"},      {3600, "About an hour"},
		{5399, "About an hour"},    {5400, "2 hours"},         {47 * 3600, "47 hours"},
		{48 * 3600, "2 days"},      {13 * 86400, "13 days"},   {14 * 86400, "2 weeks"},
		{60 * 86400, "2 months"},   {800 * 86400, "2 years"},
	};

	array_foreach(row, rows) {
		char text[32];

		units_format_ago(row->seconds * 1000000, text, sizeof(text));
		cr_expect_str_eq(text, row->text, "%ld: %s", row->seconds, text);
	}
}

#define SECOND INT64_C(1000000000)

Test(units, times)
{
	static const struct {
		const char *text;
		int result;
		int64_t nsec;
	} rows[] = {
		{"1970-01-01T00:00:00Z", 0, 0},
		{"2026-01-02T03:04:05.123456789Z", 0, 1767323045 * SECOND + 123456789},
		{"2026-01-02T03:04:05.123456789999Z", 0, 1767323045 * SECOND + 123456789},
		{"2026-01-02T05:04:05.5+02:00", 0, 1767323045 * SECOND + 500000000},
		{"2026-01-01t22:04:05-05:00", 0, 1767323045 * SECOND},
		{"2026-01-02T03:04Z", 0, 1767323040 * SECOND},
		{"2024-02-29T00:00:00Z", 0, 1709164800 * SECOND},
		{"2026-01-02", 0, 1767312000 * SECOND},
		{"2026-01-02T03:04:05", 0, 1767323045 * SECOND},
		{"1767323045", 0, 1767323045 * SECOND},
		{"1767323045.25", 0, 1767323045 * SECOND + 250000000},
		{"0", 0, 0},
		{"10m", 0, (2000000000 - 600) * SECOND},
		{"1h30m", 0, (2000000000 - 5400) * SECOND},
		{"2026-02-29", -EINVAL, 0},
		{"2026-13-01", -EINVAL, 0},
		{"2026-01-02T25:00:00Z", -EINVAL, 0},
		{"2026-01-02T03:04:05.Z", -EINVAL, 0},
		{"2026-01-02T03:04:05Zx", -EINVAL, 0},
		{"9999-01-02", -EINVAL, 0},
		{"99999999999999999999", -ERANGE, 0},
		{"1.2.3", -EINVAL, 0},
		{"yesterday", -EINVAL, 0},
		{"", -EINVAL, 0},
	};

	setenv("TZ", "UTC", 1);
	tzset();
	array_foreach(row, rows) {
		int64_t nsec = 0;
		int r = units_parse_time(row->text, 2000000000 * SECOND, &nsec);

		cr_expect_eq(r, row->result, "%s: %d", row->text, r);
		if (r == 0)
			cr_expect_eq(nsec, row->nsec, "%s: %ld", row->text, nsec);
	}
}

Test(units, a_time_without_zone_is_local)
{
	int64_t nsec;

	setenv("TZ", "XXX-02", 1); /* two hours east */
	tzset();
	cr_assert_eq(units_parse_time("2026-01-02T03:04:05", 0, &nsec), 0);
	cr_expect_eq(nsec, (1767323045 - 7200) * SECOND);
}

Test(units, format_time_agrees_with_gmtime)
{
	char text[UNITS_TIME_MAX], expect[UNITS_TIME_MAX];

	for (int64_t seconds = -5000000000; seconds < 9000000000; seconds += 7654321) {
		time_t t = seconds;
		struct tm tm;
		int64_t nsec;

		gmtime_r(&t, &tm);
		strftime(expect, sizeof(expect), "%Y-%m-%dT%H:%M:%S.000000042Z", &tm);
		units_format_time(seconds * SECOND + 42, text, sizeof(text));
		cr_assert_str_eq(text, expect);
		cr_assert_eq(units_parse_time(text, 0, &nsec), 0);
		cr_assert_eq(nsec, seconds * SECOND + 42);
	}
	cr_expect_str_eq(units_format_time(-1, text, sizeof(text)),
			 "1969-12-31T23:59:59.999999999Z");
	cr_expect_str_eq(units_format_time(0, text, 5), "1970");
}
