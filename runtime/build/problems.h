/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_BUILD_PROBLEMS_H
#define RUNTIME_BUILD_PROBLEMS_H

/*
 * problems.h - all that is wrong with a file, told in one go: each with its line and a caret.
 *
 *     Dockerfile:3:1: unknown instruction "RNU"; did you mean RUN?
 *       3 | RNU echo hello
 *         | ^~~
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "common/str.h"

/* A file's text and where its lines begin. */
struct source_text {
	char *name; /* as the user reads it: "web/Dockerfile" */
	char *text;
	size_t size;
	size_t *line_starts; /* of line 1, 2, ... */
	size_t line_count;
};

/* Copies @text. */
void source_text_init(struct source_text *source, const char *name, const char *text, size_t size);
void source_text_done(struct source_text *source);

/* A place of @width bytes at line:column (from 1; column 0: the line as a whole). */
struct place {
	unsigned int line, column, width;
};

struct problems {
	const struct source_text *source;
	struct strbuf text; /* the report */
	struct error first;
	size_t count;
};

#define PROBLEMS_MAX 50

/* Errors; after PROBLEMS_MAX of them they are only counted. */
void problems_add(struct problems *problems, const struct place *place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* "  3 | RNU echo hello" and the caret below. */
void problems_excerpt(const struct source_text *source, const struct place *place,
		      struct strbuf *out);
/* The lines @first to @last, marked, with a few around them. */
void problems_around(const struct source_text *source, unsigned int first, unsigned int last,
		     struct strbuf *out);
void problems_done(struct problems *problems);

#endif
