/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_BUILD_LINES_H
#define RUNTIME_BUILD_LINES_H

/*
 * lines.h - a Dockerfile's physical lines as logical ones: the lower half of dockerfile.h.
 */

#include "runtime/build/dockerfile.h"

/* Where a stretch of a joined line was written. */
struct line_segment {
	size_t at; /* in the joined text */
	unsigned int line, column;
};

struct logical_line {
	struct strbuf text;
	struct line_segment *segments;
	size_t segment_count;
	unsigned int first_line, last_line;
	struct heredoc *heredocs;
	size_t heredoc_count;
};

struct line_reader {
	struct source_text *source;
	struct problems *problems;
	char escape;
	size_t next; /* index of the next physical line */
};

/* "# escape=`" and its kin at the very top. */
void lines_read_directives(struct line_reader *reader, struct dockerfile *dockerfile);
/* The next instruction's line with its heredocs; false at the end. */
bool lines_next(struct line_reader *reader, struct logical_line *ret);
void logical_line_done(struct logical_line *line);
/* The place of @width bytes at @at in the joined text. */
struct place logical_line_place(const struct logical_line *line, size_t at, size_t width);

/* "<<EOF", "3<<-'EOF'" as a heredoc without content; false: @word is not one. */
bool heredoc_parse(const char *word, struct heredoc *ret);
void heredoc_done(struct heredoc *heredoc);

#endif
