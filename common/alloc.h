/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_ALLOC_H
#define COMMON_ALLOC_H

/*
 * alloc.h - memory that is there, or the process is not.
 *
 * Out of memory aborts: the supervisor is restarted by its keeper and loses nothing, which is
 * tested daily, unlike unwinding paths that nobody runs. A size that comes from outside is
 * checked against a limit before it gets here.
 */

#include <stddef.h>

void *alloc(size_t size);                    /* uninitialised */
void *alloc_zero(size_t count, size_t size); /* zeroed; overflow of the product aborts */
void *alloc_resize(void *p, size_t count, size_t size);
char *alloc_string(const char *s);             /* a copy; NULL gives NULL */
char *alloc_string_n(const char *s, size_t n); /* a copy of at most n bytes, NUL-terminated */
void *alloc_copy(const void *p, size_t size);

/* clang-format takes it for the operator of C++ and would make it an object-like macro. */
/* clang-format off */
#define new(type)	   ((type *)alloc_zero(1, sizeof(type)))
/* clang-format on */
#define new_array(type, n) ((type *)alloc_zero((n), sizeof(type)))

/* Makes room for one more in a {items, count} array that grows by doubling; gives its slot, zeroed.
 */
#define array_add(items, count)                                           \
	({                                                                \
		(items) = alloc_grow((items), (count), sizeof(*(items))); \
		&(items)[(count)++];                                      \
	})

/* @p has @count elements and a capacity of the next power of two (at least 4); room for one more.
 */
void *alloc_grow(void *p, size_t count, size_t size);

#endif
