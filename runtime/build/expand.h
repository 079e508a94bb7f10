/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_BUILD_EXPAND_H
#define RUNTIME_BUILD_EXPAND_H

/*
 * expand.h - words of a Dockerfile as its frontend reads them: quotes, escapes, and variables with
 * the modifiers ${v:-word} ${v-word} ${v:+word} ${v+word} ${v:?word} ${v?word} ${v#pattern}
 * ${v##pattern} ${v%pattern} ${v%%pattern} ${v/pattern/word} ${v//pattern/word}.
 */

#include <stdbool.h>

#include "common/error.h"
#include "common/map.h"

struct expansion {
	/* NULL: it is not set. */
	const char *(*lookup)(void *data, const char *name);
	void *data;
	char escape;      /* '\\' or '`' */
	bool raw_quotes;  /* quotes and escapes stay: the body of a heredoc, words to be compared */
	bool keep_unset;  /* ${v} of an unset variable stays as it is written */
	struct map *used; /* names that were looked up, when not NULL */
};

/* One word of the result. -EINVAL: a substitution is not one. */
int expand_word(const struct expansion *expansion, const char *word, char **ret, struct error *err);
/* The same split at blanks that are not quoted, also of what variables hold; a strv. */
int expand_words(const struct expansion *expansion, const char *word, char ***ret,
		 struct error *err);

/* Shell patterns for # % and /: * ? \x; whether the whole of @text (of @length) matches. */
bool expand_pattern_matches(const char *pattern, const char *text, size_t length);

#endif
