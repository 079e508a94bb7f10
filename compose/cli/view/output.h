/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_VIEW_OUTPUT_H
#define COMPOSE_CLI_VIEW_OUTPUT_H

/*
 * output.h - what the user reads: tables, templates, warnings, errors, the terminal's properties.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/error.h"

struct project_args;

/* As docker compose: time="..." level=warning msg="..." on stderr, WARN[0000] on a terminal. */
void output_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints @err (and the loader's report, where there is one) on stderr. Returns 1, the exit code. */
int output_fail(const struct project_args *args, const struct error *err);
/* The same of what is no struct error: lines. */
int output_fail_text(const struct project_args *args, const char *text);
/*
 * With it in project_args, a failure is not printed but left here, for who tells others than the
 * user: all of its text, and the first service that was to blame.
 */
struct output_failure {
	char *text, *service;
};
void output_failure_done(struct output_failure *failure);
void output_blame(const struct project_args *args, const char *service);
/* Asks on stdout, "[y/N]" behind it. Whatever is not y or yes on stdin, or its end, means no. */
bool output_ask(const char *question);
/* Whether colours and cursor movements may go to @fd (--ansi, NO_COLOR, TERM=dumb). */
bool output_ansi(const struct project_args *args, int fd);
bool output_color(const struct project_args *args, int fd);
/* Size of the terminal at @fd; 80 by 24 where it has none to tell. */
void output_terminal_size(int fd, unsigned short *ret_columns, unsigned short *ret_rows);

/* Cells of one table; printed as Go's tabwriter does: columns padded by three blanks. */
struct table {
	char **cells;
	size_t count, columns;
};

/* A row of table->columns cells; the first row is the header. Copies. */
void table_add(struct table *table, const char *cell);
void table_print(const struct table *table, size_t min_width, FILE *out);
void table_done(struct table *table);

/* How compose prints lists: `ps` a JSON object a line, `ls` and `images` one array. */
enum output_style { OUTPUT_LINES, OUTPUT_ARRAY };

/*
 * Prints @rows (an array of objects) by --format: "json"; "table", "" or NULL the @columns (pairs
 * of heading and key, NULL-terminated); "table TEMPLATE"; else TEMPLATE for each row. Templates
 * are Go's (go_template.h), \t and \n a tabulator and a new line.
 */
int output_rows(const json_t *rows, const char *format, const char *const *columns,
		enum output_style style, struct error *err);

/* The table alone, without a format. */
void output_table(const json_t *rows, const char *const *columns, enum output_style style,
		  FILE *out);

/* What `inspect` commands print: an indented array, or @format (NULL: none) for each of @rows. */
int output_inspected(const json_t *rows, const char *format, struct error *err);
/* "a=b,c=d" of an object of strings. New string. */
char *output_labels(const json_t *labels);
/* "a=b, c=d" of an event's attributes, by their names. New string. */
char *output_attributes(const json_t *attributes);

/* Text of a value as a template prints it: strings bare. New string. */
char *output_value(const json_t *value);

#endif
