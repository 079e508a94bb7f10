/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_STR_H
#define COMMON_STR_H

/*
 * str.h - strings, lists of strings (strv: NULL-terminated, NULL is the empty list), and a buffer.
 *
 * Whatever is returned as char * or char ** is new and the caller's to free.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/cleanup.h"

bool str_equal(const char *a, const char *b); /* NULL equals NULL only */
bool str_starts_with(const char *s, const char *prefix);
bool str_ends_with(const char *s, const char *suffix);
char *str_vprintf(const char *format, va_list args);
char *str_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *str_trim(char *s); /* in place: leading and trailing white space */

/* The one of @candidates (n of them) that @word was probably meant to be, or NULL. */
const char *str_suggest(const char *word, const char *const *candidates, size_t n);

/* True when @s is valid UTF-8 without NUL. */
bool str_is_utf8(const char *s, size_t n);

size_t strv_length(char *const *list);
bool strv_contains(char *const *list, const char *s);
void strv_append(char ***list, const char *s); /* copies @s */
void strv_take(char ***list, char *s);         /* owns @s from now on */
char **strv_dup(char *const *list);
void strv_free(char **list);
bool strv_equal(char *const *a, char *const *b);
char **strv_split(const char *s, const char *separators); /* empty pieces are dropped */
char *strv_join(char *const *list, const char *separator);
/* Value of KEY in a list of KEY=VALUE, or NULL; not a copy. */
const char *strv_env_get(char *const *env, const char *key);
/* Puts KEY=VALUE in its key's place or at the end; copies. A NULL @value removes the key. */
void strv_env_set(char ***env, const char *key, const char *value);

static inline void cleanup_strv(char ***list)
{
	strv_free(*list);
}
#define _cleanup_strv_ _cleanup_(cleanup_strv)

#define strv_foreach(s, list)                                     \
	for (char *const *s##_at = (list); s##_at; s##_at = NULL) \
		for (char *s; (s = *s##_at) != NULL; s##_at++)

/* A growing text; always NUL-terminated once something was added. {0} is the empty one. */
struct strbuf {
	char *data;
	size_t length, capacity;
};

void strbuf_add(struct strbuf *buffer, const char *s);
void strbuf_add_n(struct strbuf *buffer, const void *data, size_t n);
void strbuf_addc(struct strbuf *buffer, char c);
void strbuf_addf(struct strbuf *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void strbuf_reserve(struct strbuf *buffer, size_t extra); /* room for so many more bytes */
char *strbuf_take(struct strbuf *buffer);                 /* "" rather than NULL when empty */
void strbuf_done(struct strbuf *buffer);
#define _cleanup_strbuf_ _cleanup_(strbuf_done)

#endif
