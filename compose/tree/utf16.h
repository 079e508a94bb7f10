/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_TREE_UTF16_H
#define COMPOSE_TREE_UTF16_H

/* utf16.h - files as Windows' shells write them: UTF-16, marked so by its first character. */

#include <stddef.h>

/* The same text in UTF-8, without the mark; a new string of *ret_size. NULL: it is not marked. */
char *utf16_to_utf8(const char *data, size_t size, size_t *ret_size);

#endif
