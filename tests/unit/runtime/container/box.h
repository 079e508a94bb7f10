/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_RUNTIME_CONTAINER_BOX_H
#define TESTS_UNIT_RUNTIME_CONTAINER_BOX_H

/*
 * box.h - a container of busybox for the tests: a root of one layer and a writable one on a tmpfs
 * of the test's own mount namespace, and what came out of it.
 */

#include <stdbool.h>

#include "runtime/container/container.h"

struct box {
	struct container_spec spec;
	int layer;
	int upper, work;
	int output; /* read end of stdout and stderr */
	struct birth birth;
	struct birth_report report;
	struct error err;
	enum birth_news news;
	char text[65536]; /* what it printed */
	int status;       /* exit code, 128 + n by a signal; -1: never ran */
};

/* Mounts the tmpfs and makes the layer; once a test process. */
void box_prepare(void);
/* A spec with Docker's defaults that runs "sh -c SCRIPT" (or @args). */
void box_init(struct box *box, const char *const *args);
/* Clone, release, and wait for executed or failed. The news. */
enum birth_news box_start(struct box *box);
/* exec in a running one: @box is an initialised box of its own for the process part. */
enum birth_news box_exec(struct box *box, int container_pidfd);
/* Reads all output, and reaps. The exit code, also of a failed birth. */
int box_wait(struct box *box);
/* Start and wait. */
int box_run(struct box *box);
void box_kill(struct box *box);

#define SH(script) ((const char *const[]){"/bin/sh", "-c", script, NULL})

#endif
