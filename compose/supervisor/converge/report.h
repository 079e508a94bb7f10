/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_CONVERGE_REPORT_H
#define COMPOSE_SUPERVISOR_CONVERGE_REPORT_H

/*
 * report.h - what users see of an operation: a word when it begins, and one when it ends.
 */

#include <stddef.h>

#include "common/error.h"

struct converge;

void report_begin(struct converge *converge, size_t index);
/* @err may be NULL, or hold no error. */
void report_end(struct converge *converge, size_t index, const struct error *err);

#endif
