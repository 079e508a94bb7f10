/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_CONFINE_H
#define RUNTIME_IMAGE_CONFINE_H

/*
 * confine.h - archives are read by a child process that can do nothing but read them.
 *
 * Its root is the directory that it fills, it keeps only the capabilities that making files
 * takes, can neither gain others nor run or map code, and has no descriptors but those named.
 */

#include <stddef.h>

#include "common/error.h"
#include "common/str.h"

struct confined {
	int dir;           /* becomes its root */
	const int *keep;   /* descriptors it may use besides; -1 among them is fine */
	size_t keep_count; /* at most 8 */
	int (*run)(void *data, struct strbuf *output, struct error *err);
	void *data;
};

/* Runs it to its end. What run() put into @output comes back, also when it failed. */
int confined_run(const struct confined *job, struct strbuf *ret_output, struct error *err);

#endif
