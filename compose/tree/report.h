/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_TREE_REPORT_H
#define COMPOSE_TREE_REPORT_H

/*
 * report.h - everything that is wrong with what the user wrote, each with its source line.
 *
 * A step that can go on after a problem adds it here and goes on, so that one run shows all: in the
 * order in which they stand in the files, whichever step found them. What is said twice of one
 * place is told once.
 */

#include "common/str.h"

#include "compose/tree/node.h"

#define REPORT_MAX 50

struct problem;

struct report {
	struct problem *problems; /* REPORT_MAX at most */
	size_t kept, count;
};

void report_add(struct report *report, const struct position *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Adds an error that was already made; @at may be NULL. */
void report_error(struct report *report, const struct position *at, const struct error *error);
/* 0, or the problem that stands first, in @err. */
int report_result(const struct report *report, struct error *err);
/* Each as "FILE:LINE:COLUMN: message", the line, and a caret below. New string. */
char *report_text(struct report *report);
void report_done(struct report *report);

#endif
