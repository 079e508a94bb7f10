// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/units.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/cleanup.h"

typedef __int128 wide;

/*
 * Reads digits with an optional fraction at *s, as parts of 10^9. At least one digit.
 * Digits after the ninth of the fraction are read and dropped.
 */
static int read_decimal(const char **s, wide *ret_billionths)
{
	const char *at = *s;
	wide value = 0, unit = 1000000000;
	bool digits = false;

	for (; isdigit((unsigned char)*at); at++, digits = true) {
		value = value * 10 + (*at - '0');
		if (value > INT64_MAX)
			return -ERANGE;
	}
	value *= unit;
	if (*at == '.')
		for (at++; isdigit((unsigned char)*at); at++, digits = true) {
			unit /= 10;
			value += unit * (*at - '0');
		}
	if (!digits)
		return -EINVAL;
	*s = at;
	*ret_billionths = value;
	return 0;
}

int units_parse_bytes(const char *s, int64_t *ret_bytes)
{
	static const char letters[] = "kmgtp";
	wide value;
	int r;

	if (strcmp(s, "-1") == 0) {
		*ret_bytes = -1;
		return 0;
	}
	r = read_decimal(&s, &value);
	if (r < 0)
		return r;
	s += *s == ' ';
	if (*s && strchr(letters, tolower((unsigned char)*s))) {
		long power = strchr(letters, tolower((unsigned char)*s)) - letters + 1;

		value <<= 10 * power;
		s++;
		s += *s == 'i' || *s == 'I';
	}
	s += *s == 'b' || *s == 'B';
	if (*s)
		return -EINVAL;
	value /= 1000000000;
	if (value > INT64_MAX)
		return -ERANGE;
	*ret_bytes = (int64_t)value;
	return 0;
}

static const struct unit {
	const char *name;
	int64_t nsec;
} duration_units[] = {
	/* Longer names before those that they start with. */
	{"ns", 1},
	{"us", 1000},
	{"\u00b5s", 1000}, /* micro sign */
	{"\u03bcs", 1000}, /* Greek mu */
	{"ms", 1000000},
	{"s", 1000000000},
	{"m", INT64_C(60) * 1000000000},
	{"h", INT64_C(3600) * 1000000000},
	{"d", INT64_C(86400) * 1000000000},
	{"w", INT64_C(7) * 86400 * 1000000000},
};

static const struct unit *read_unit(const char **s)
{
	array_foreach(unit, duration_units) {
		size_t length = strlen(unit->name);

		if (strncmp(*s, unit->name, length) == 0) {
			*s += length;
			return unit;
		}
	}
	return NULL;
}

int units_parse_duration(const char *s, int64_t *ret_usec)
{
	wide total = 0, value;

	if (*s == '-')
		return -ERANGE;
	s += *s == '+';
	if (strcmp(s, "0") == 0) {
		*ret_usec = 0;
		return 0;
	}
	do {
		const struct unit *unit;
		int r = read_decimal(&s, &value);

		if (r < 0)
			return r;
		unit = read_unit(&s);
		if (!unit)
			return -EINVAL;
		/* Each term is below 2^63 * 2^50: the sum is checked before it can overflow. */
		total += value / 1000000000 * unit->nsec +
			 value % 1000000000 * unit->nsec / 1000000000;
		if (total > (wide)INT64_MAX)
			return -ERANGE;
	} while (*s);
	*ret_usec = (int64_t)(total / 1000);
	return 0;
}

/* "1.5" of 1500 thousandths: up to @digits of fraction, without trailing zeros. */
static int format_fraction(char *buffer, size_t size, uint64_t value, uint64_t unit, int digits)
{
	char fraction[24];
	int length;

	if (value % unit == 0)
		return snprintf(buffer, size, "%llu", (unsigned long long)(value / unit));
	length = snprintf(fraction, sizeof(fraction), "%0*llu", digits,
			  (unsigned long long)(value % unit));
	while (length > 0 && fraction[length - 1] == '0')
		fraction[--length] = '\0';
	return snprintf(buffer, size, "%llu.%s", (unsigned long long)(value / unit), fraction);
}

const char *units_format_duration(int64_t usec, char *buffer, size_t size)
{
	uint64_t value = usec < 0 ? -(uint64_t)usec : (uint64_t)usec;
	uint64_t seconds = value / USEC_PER_SEC;
	const char *sign = usec < 0 ? "-" : "";
	char number[48];

	if (value == 0) {
		snprintf(buffer, size, "0s");
	} else if (value < USEC_PER_MSEC) {
		snprintf(buffer, size, "%s%llu\u00b5s", sign, (unsigned long long)value);
	} else if (value < USEC_PER_SEC) {
		format_fraction(number, sizeof(number), value, USEC_PER_MSEC, 3);
		snprintf(buffer, size, "%s%sms", sign, number);
	} else {
		format_fraction(number, sizeof(number), value % (60 * USEC_PER_SEC), USEC_PER_SEC,
				6);
		if (seconds >= 3600)
			snprintf(buffer, size, "%s%lluh%llum%ss", sign,
				 (unsigned long long)(seconds / 3600),
				 (unsigned long long)(seconds / 60 % 60), number);
		else if (seconds >= 60)
			snprintf(buffer, size, "%s%llum%ss", sign,
				 (unsigned long long)(seconds / 60), number);
		else
			snprintf(buffer, size, "%s%ss", sign, number);
	}
	return buffer;
}

const char *units_format_size(uint64_t bytes, char *buffer, size_t size)
{
	static const char *const names[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	double value = (double)bytes;
	size_t i = 0;

	/* What would round to 1000 is one of the next. */
	while (value >= 999.5 && i + 1 < ARRAY_SIZE(names)) {
		value /= 1000;
		i++;
	}
	snprintf(buffer, size, "%.3g%s", value, names[i]);
	return buffer;
}

const char *units_format_ago(int64_t usec, char *buffer, size_t size)
{
	long long seconds = usec / (int64_t)USEC_PER_SEC, minutes = seconds / 60;
	long long hours = (seconds + 1800) / 3600;

	if (seconds < 1)
		snprintf(buffer, size, "Less than a second");
	else if (seconds == 1)
		snprintf(buffer, size, "1 second");
	else if (seconds < 60)
		snprintf(buffer, size, "%lld seconds", seconds);
	else if (minutes == 1)
		snprintf(buffer, size, "About a minute");
	else if (minutes < 60)
		snprintf(buffer, size, "%lld minutes", minutes);
	else if (hours == 1)
		snprintf(buffer, size, "About an hour");
	else if (hours < 48)
		snprintf(buffer, size, "%lld hours", hours);
	else if (hours < 24LL * 7 * 2)
		snprintf(buffer, size, "%lld days", hours / 24);
	else if (hours < 24LL * 30 * 2)
		snprintf(buffer, size, "%lld weeks", hours / 24 / 7);
	else if (hours < 24LL * 365 * 2)
		snprintf(buffer, size, "%lld months", hours / 24 / 30);
	else
		snprintf(buffer, size, "%lld years", seconds / 3600 / 24 / 365);
	return buffer;
}

int64_t units_now_nsec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int64_t units_monotonic_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * (int64_t)USEC_PER_SEC + now.tv_nsec / 1000;
}
