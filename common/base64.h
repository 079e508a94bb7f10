/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_BASE64_H
#define COMMON_BASE64_H

/* base64.h - RFC 4648, section 4. */

#include <stddef.h>

char *base64_encode(const void *data, size_t size); /* new string, padded */
/*
 * New, with a NUL behind it; *ret_size (may be NULL) without that. NULL: not base64, or with a NUL
 * inside where @ret_size is NULL. Padding may be missing, white space is passed over.
 */
char *base64_decode(const char *text, size_t *ret_size);

#endif
