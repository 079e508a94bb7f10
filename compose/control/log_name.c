// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/control/log_name.h"

#include <stdio.h>

#define DIGITS_MIN 8
#define DIGITS_MAX 12

void log_name_format(uint64_t number, char name[LOG_NAME_MAX])
{
	snprintf(name, LOG_NAME_MAX, "%0*ju", DIGITS_MIN, (uintmax_t)number % 1000000000000);
}

uint64_t log_name_parse(const char *name)
{
	uint64_t number = 0;
	int digits = 0;

	for (; name[digits]; digits++) {
		if (name[digits] < '0' || name[digits] > '9' || digits == DIGITS_MAX)
			return 0;
		number = number * 10 + (name[digits] - '0');
	}
	return digits < DIGITS_MIN || (digits > DIGITS_MIN && name[0] == '0') ? 0 : number;
}
