// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* strerror() may allocate and take the locale's lock; this one reads a constant table. */
static const char *description(int code)
{
	const char *text = strerrordesc_np(code);

	return text ? text : "Unknown error";
}

/* A failure without a code is still a failure: callers test for a negative value. */
static int valid_code(int code)
{
	code = abs(code);
	return code ? code : EIO;
}

/* Copies what fits, ends it with NUL (@size is at least 1); how much that was. */
static size_t copy_fitting(char *target, const char *text, size_t size)
{
	size_t length = strnlen(text, size - 1);

	memcpy(target, text, length);
	target[length] = '\0';
	return length;
}

static void append_description(struct error *err)
{
	size_t length = strlen(err->message);

	snprintf(err->message + length, sizeof(err->message) - length, "%s%s", length ? ": " : "",
		 description(err->code));
}

int error_set(struct error *err, int code, const char *format, ...)
{
	va_list args;

	err->code = valid_code(code);
	err->where[0] = '\0';
	va_start(args, format);
	vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	return -err->code;
}

int error_errno(struct error *err, const char *format, ...)
{
	int code = errno;
	va_list args;

	err->code = valid_code(code);
	err->where[0] = '\0';
	va_start(args, format);
	vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	append_description(err);
	return -err->code;
}

int error_code(struct error *err, int code, const char *format, ...)
{
	va_list args;

	err->code = valid_code(code);
	err->where[0] = '\0';
	va_start(args, format);
	vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	append_description(err);
	return -err->code;
}

int error_where(struct error *err, const char *where, const char *format, ...)
{
	va_list args;

	err->code = EINVAL;
	snprintf(err->where, sizeof(err->where), "%s", where ? where : "");
	va_start(args, format);
	vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	return -err->code;
}

int error_wrap(struct error *err, const char *format, ...)
{
	char inner[sizeof(err->message)];
	size_t length;
	va_list args;

	err->code = valid_code(err->code);
	memcpy(inner, err->message, sizeof(inner));
	va_start(args, format);
	vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	length = strlen(err->message);
	length += copy_fitting(err->message + length, ": ", sizeof(err->message) - length);
	copy_fitting(err->message + length, inner, sizeof(err->message) - length);
	return -err->code;
}

void error_clear(struct error *err)
{
	*err = ERROR_INIT;
}

const char *error_text(const struct error *err, char *buffer, unsigned long size)
{
	snprintf(buffer, size, "%s%s%s", err->where, err->where[0] ? ": " : "", err->message);
	return buffer;
}
