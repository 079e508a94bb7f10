// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void out_of_memory(void)
{
	static const char text[] = "berth: out of memory\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	abort();
}

static void *checked(void *p)
{
	if (!p)
		out_of_memory();
	return p;
}

/* A size of 0 gives a pointer all the same, so that NULL only ever means "none". */
static size_t product(size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total) || total > PTRDIFF_MAX)
		out_of_memory();
	return total ? total : 1;
}

void *alloc(size_t size)
{
	return checked(malloc(product(1, size)));
}

void *alloc_zero(size_t count, size_t size)
{
	return checked(calloc(1, product(count, size)));
}

void *alloc_resize(void *p, size_t count, size_t size)
{
	return checked(realloc(p, product(count, size)));
}

char *alloc_string(const char *s)
{
	return s ? checked(strdup(s)) : NULL;
}

char *alloc_string_n(const char *s, size_t n)
{
	return s ? checked(strndup(s, n)) : NULL;
}

void *alloc_copy(const void *p, size_t size)
{
	void *copy = alloc(size);

	if (size)
		memcpy(copy, p, size);
	return copy;
}

void *alloc_grow(void *p, size_t count, size_t size)
{
	size_t total;

	/* Full when the count is 0 (nothing yet) or a power of two from 4 on. */
	if (count == 0)
		p = alloc_resize(p, 4, size);
	else if (count >= 4 && (count & (count - 1)) == 0)
		p = alloc_resize(p, product(count, 2), size);
	total = product(count, size);
	memset((char *)p + (count ? total : 0), 0, size);
	return p;
}
