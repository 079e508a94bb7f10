/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_VIEW_COLUMNS_H
#define COMPOSE_CLI_VIEW_COLUMNS_H

/*
 * columns.h - text in the columns of a terminal: two for wide characters, none for those that
 * combine with the one before. Control characters and bytes that are no UTF-8 take one column,
 * as the blank or the question mark that is shown in their place.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/str.h"

size_t columns_width(const char *text);

/* Appends as much of the beginning of @text as fits into @columns. Returns how many it takes. */
size_t columns_add_cut(struct strbuf *out, const char *text, size_t columns);

/* The same, but names differ at their ends: of a long one the middle goes, for "…". */
size_t columns_add_elided(struct strbuf *out, const char *text, size_t columns);

/*
 * Appends a line that a program wrote for a terminal of its own as it would stand there: control
 * characters and what moves the cursor, clears or names the screen go, and so does what was
 * written over after a carriage return. Colours stay if @colors.
 */
void columns_add_line(struct strbuf *out, const char *line, size_t length, bool colors);

#endif
