// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

void strbuf_reserve(struct strbuf *buffer, size_t extra)
{
	size_t needed, capacity = buffer->capacity ? buffer->capacity : 32;

	if (__builtin_add_overflow(buffer->length + 1, extra, &needed))
		needed = SIZE_MAX; /* which alloc_resize() does not survive */
	if (needed <= buffer->capacity)
		return;
	while (capacity < needed)
		capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
	buffer->data = alloc_resize(buffer->data, capacity, 1);
	buffer->capacity = capacity;
}

void strbuf_add_n(struct strbuf *buffer, const void *data, size_t n)
{
	strbuf_reserve(buffer, n);
	if (n)
		memcpy(buffer->data + buffer->length, data, n);
	buffer->length += n;
	buffer->data[buffer->length] = '\0';
}

void strbuf_add(struct strbuf *buffer, const char *s)
{
	strbuf_add_n(buffer, s, strlen(s));
}

void strbuf_addc(struct strbuf *buffer, char c)
{
	strbuf_add_n(buffer, &c, 1);
}

void strbuf_addf(struct strbuf *buffer, const char *format, ...)
{
	va_list args;
	int length;

	strbuf_reserve(buffer, 0);
	va_start(args, format);
	length = vsnprintf(buffer->data + buffer->length, buffer->capacity - buffer->length, format,
			   args);
	va_end(args);
	if (length < 0)
		length = 0;
	if ((size_t)length >= buffer->capacity - buffer->length) {
		strbuf_reserve(buffer, (size_t)length);
		va_start(args, format);
		vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, args);
		va_end(args);
	}
	buffer->length += (size_t)length;
	buffer->data[buffer->length] = '\0';
}

char *strbuf_take(struct strbuf *buffer)
{
	char *text = buffer->data ? buffer->data : alloc_string("");

	*buffer = (struct strbuf){0};
	return text;
}

void strbuf_done(struct strbuf *buffer)
{
	free(buffer->data);
	*buffer = (struct strbuf){0};
}
