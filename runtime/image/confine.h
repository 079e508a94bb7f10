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
#include <sys/types.h>

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

/* The same in two halves, so that several run side by side. */
struct confined_child {
	int fd; /* becomes readable when the child has something to say: that it is at its end */
	pid_t pid;
};

int confined_start(const struct confined *job, struct confined_child *ret, struct error *err);
/* Waits for it. */
int confined_end(struct confined_child *child, struct strbuf *ret_output, struct error *err);
/* Ends it, whatever it is at. */
void confined_kill(struct confined_child *child);

#endif
