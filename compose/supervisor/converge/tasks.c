// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/converge/tasks.h"

#include <stdlib.h>

#include "common/alloc.h"

#include "compose/supervisor/converge/converge.h"
#include "compose/supervisor/executor.h"
#include "compose/supervisor/supervisor.h"

void task_free(struct task *task)
{
	free(task->name);
	free(task);
}

int task_start(struct converge *converge, size_t index, job_work *work, job_done *done,
	       struct instance *instance, const struct image *image, struct error *err)
{
	struct task *task = new (struct task);
	int r;

	*task = (struct task){converge,
			      index,
			      alloc_string(converge->plan->operations[index].name),
			      converge->supervisor,
			      image,
			      instance};
	r = job_start(converge->supervisor->jobs, work, task, done, task, err);
	if (r < 0) {
		task_free(task);
		return r;
	}
	converge->runs[index].job = task;
	return r;
}

void task_done(void *data, const struct error *err)
{
	struct task *task = data;
	struct converge *converge = task->converge;

	converge->runs[task->index].job = NULL;
	converge_finish_operation(converge, task->index, err);
	task_free(task);
	executor_step(converge->supervisor->executor);
}

void task_cancel(struct converge *converge, size_t index)
{
	struct task *task = converge->runs[index].job;

	if (!task || converge->plan->operations[index].kind == OP_REMOVE_VOLUME)
		return;
	converge->runs[index].job = NULL;
	jobs_cancel(converge->supervisor->jobs, task);
	task_free(task);
	converge_finish_operation(converge, index, &converge->err);
}
