// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * scalar.c - what an unquoted scalar means. docker compose reads YAML with Go's yaml.v3: booleans
 * of YAML 1.2 only, but integers as Go writes them (0x10, 0o17, 017, 0b1, 1_000).
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

#include "compose/tree/node.h"

static bool one_of(const char *s, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(s, *words))
			return true;
	return false;
}

static int base_of(const char **digits)
{
	const char *s = *digits;

	if (s[0] != '0' || !s[1])
		return 10;
	switch (s[1]) {
	case 'x':
	case 'X':
		*digits += 2;
		return 16;
	case 'o':
	case 'O':
		*digits += 2;
		return 8;
	case 'b':
	case 'B':
		*digits += 2;
		return 2;
	default:
		*digits += 1;
		return 8;
	}
}

static bool read_integer(const char *s, int64_t *ret)
{
	char digits[72];
	size_t n = 0;
	const char *from = s + (*s == '-' || *s == '+');
	int base = base_of(&from);
	char *end = NULL;
	long long value;

	if (*s == '-')
		digits[n++] = '-';
	if (!isalnum((unsigned char)*from))
		return false;
	for (; *from; from++) {
		if (*from == '_')
			continue;
		if (!isalnum((unsigned char)*from) || n + 1 >= sizeof(digits))
			return false;
		digits[n++] = *from;
	}
	digits[n] = '\0';
	errno = 0;
	value = strtoll(digits, &end, base);
	if (errno || *end || end == digits)
		return false;
	*ret = value;
	return true;
}

static bool skip_digits(const char **s)
{
	const char *from = *s;

	while (isdigit((unsigned char)**s))
		(*s)++;
	return *s > from;
}

/* [-+]? (.N | N[.N?]) ([eE][-+]?N)? */
static bool looks_like_float(const char *s)
{
	bool digits;

	s += *s == '-' || *s == '+';
	digits = skip_digits(&s);
	if (*s == '.') {
		s++;
		digits = skip_digits(&s) || digits;
	}
	if (!digits)
		return false;
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '-' || *s == '+';
		if (!skip_digits(&s))
			return false;
	}
	return !*s;
}

static bool read_float(const char *s, double *ret)
{
	static const char *const infinities[] = {".inf", ".Inf", ".INF", NULL};
	static const char *const nans[] = {".nan", ".NaN", ".NAN", NULL};

	if (looks_like_float(s)) {
		*ret = strtod(s, NULL);
		return true;
	}
	if (one_of(s, nans)) {
		*ret = NAN;
		return true;
	}
	if (one_of(s + (*s == '-' || *s == '+'), infinities)) {
		*ret = *s == '-' ? -INFINITY : INFINITY;
		return true;
	}
	return false;
}

/* 2001-12-14, alone or with a time behind T, t or a blank. */
static bool looks_like_date(const char *s)
{
	int year, month, day, n = 0;

	if (strspn(s, "0123456789") != 4)
		return false;
	if (sscanf(s, "%4d-%2d-%2d%n", &year, &month, &day, &n) != 3 || n < 8)
		return false;
	if (month < 1 || month > 12 || day < 1 || day > 31)
		return false;
	return !s[n] || ((s[n] == 'T' || s[n] == 't' || s[n] == ' ') && strchr(s + n, ':'));
}

void node_resolve_plain(struct node *node)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const trues[] = {"true", "True", "TRUE", NULL};
	static const char *const falses[] = {"false", "False", "FALSE", NULL};
	const char *s = node->text;

	node->kind = NODE_STRING;
	if (one_of(s, nulls)) {
		node->kind = NODE_NULL;
	} else if (one_of(s, trues) || one_of(s, falses)) {
		node->kind = NODE_BOOL;
		node->boolean = one_of(s, trues);
	} else if (!strchr("+-.0123456789", *s)) {
		return;
	} else if (read_integer(s, &node->integer)) {
		node->kind = NODE_INT;
	} else if (read_float(s, &node->number)) {
		node->kind = NODE_FLOAT;
	} else {
		node->date = looks_like_date(s);
	}
}

/* Go fills up with zeros behind the digits that tell a number from its neighbours. */
static void format_large(double number, int precision, int zeros, char *buffer, size_t size)
{
	char digits[64];
	size_t n = 0;

	snprintf(digits, sizeof(digits), "%.*e", precision - 1, number);
	for (const char *c = digits; *c && *c != 'e' && n + 1 < size; c++)
		if (*c != '.')
			buffer[n++] = *c;
	while (zeros-- && n + 1 < size)
		buffer[n++] = '0';
	buffer[n] = '\0';
}

/* The shortest digits that read back; with an exponent below 10^@low and from 10^@high on. */
static void format_number(double number, int low, int high, char *buffer, size_t size)
{
	int precision = 1, exponent, places;

	for (; precision < 17; precision++) {
		snprintf(buffer, size, "%.*g", precision, number);
		if (strtod(buffer, NULL) == number)
			break;
	}
	/* The power of ten by the C library's own printing: log10() would cost every process libm.
	 */
	snprintf(buffer, size, "%.*e", precision - 1, number);
	exponent = (int)strtol(strchr(buffer, 'e') + 1, NULL, 10);
	if (number != 0 && (exponent < low || exponent >= high))
		return;
	places = precision - exponent - 1;
	if (places >= 0)
		snprintf(buffer, size, "%.*f", places, number);
	else
		format_large(number, precision, -places, buffer, size);
}

void node_format_number(double number, char *buffer, size_t size)
{
	if (isfinite(number))
		format_number(number, -4, 6, buffer, size);
	else
		snprintf(buffer, size, "%s", isnan(number) ? "NaN" : number > 0 ? "+Inf" : "-Inf");
}

void node_format_json(double number, char *buffer, size_t size)
{
	char *exponent;

	format_number(number, -6, 21, buffer, size);
	/* e-07 is e-7 to encoding/json. */
	exponent = strstr(buffer, "e-0");
	if (exponent)
		memmove(exponent + 2, exponent + 3, strlen(exponent + 3) + 1);
}
