/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_CONVERGE_TASKS_H
#define COMPOSE_SUPERVISOR_CONVERGE_TASKS_H

/*
 * tasks.h - operations that a child process works on (compose/supervisor/jobs.h).
 */

#include <stddef.h>

#include "common/error.h"

#include "compose/supervisor/jobs.h"

struct converge;
struct image;
struct instance;
struct supervisor;

/* What the work needs to know, and whom to tell. */
struct task {
	struct converge *converge;
	size_t index;
	char *name; /* of the operation's object */
	struct supervisor *supervisor;
	const struct image *image;
	struct instance *instance;
};

/* Begins @work; its data, and the context of @done, is the task. @instance, @image: may be NULL. */
int task_start(struct converge *converge, size_t index, job_work *work, job_done *done,
	       struct instance *instance, const struct image *image, struct error *err);
/* For @done: the operation is at its end with the work. */
void task_done(void *task, const struct error *err);
/* For @done, where the operation goes on after it. */
void task_free(struct task *task);
/* Ends one that makes something, which is then half made: whoever needs it makes it anew. */
void task_cancel(struct converge *converge, size_t index);

#endif
