// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/converge/interrupt.h"

#include <errno.h>
#include <signal.h>

#include "common/json.h"

#include "compose/supervisor/converge/converge.h"
#include "compose/supervisor/converge/tasks.h"
#include "compose/supervisor/instance/instance.h"

static bool another_waits(const struct converge *converge)
{
	for (const struct converge *at = converge->next; at; at = at->next)
		if (!at->urgent)
			return true;
	return false;
}

/*
 * Nobody listens: waiting for the sake of an answer (`--wait`) has lost its sense, and once
 * somebody else asks for something, so has waiting for a dependency and what would follow it.
 */
void interrupt_unwatched(struct converge *converge)
{
	bool all = another_waits(converge);

	if (converge->listener.context || !converge->plan || !converge->begun)
		return;
	for (size_t i = 0; i < converge->plan->count; i++) {
		const struct operation *operation = &converge->plan->operations[i];
		struct operation_run *run = &converge->runs[i];
		bool wait = operation->kind == OP_WAIT;

		if (run->state == RUN_WAITING
			    ? !(all || (wait && operation->final))
			    : run->state != RUN_RUNNING || !wait || !(all || operation->final))
			continue;
		run->state = RUN_SKIPPED;
		converge->waiting--;
		converge->abandoned = true;
	}
}

bool interrupt_wanted(const struct converge *converge)
{
	const struct plan_options *options = &converge->parsed.options;

	if (converge->dry_run)
		return false;
	if (json_get_bool(converge->request, "interrupt", false))
		return true;
	switch (options->goal) {
	case PLAN_DOWN:
	case PLAN_STOP:
		return true;
	case PLAN_REMOVE:
		return options->force_stop;
	case PLAN_KILL:
		return !options->signal || options->signal == SIGKILL;
	default:
		return false;
	}
}

/* What a container does about it goes on by itself; only nobody waits for it here. */
static bool goes_on_alone(enum operation_kind kind)
{
	return kind == OP_WAIT || kind == OP_AWAIT_IMAGE || kind == OP_PROCEED ||
	       kind == OP_DRAIN_CONTAINER || kind == OP_STOP_CONTAINER ||
	       kind == OP_KILL_CONTAINER || kind == OP_REMOVE_CONTAINER;
}

bool interrupt_may(const struct converge *by, const struct converge *converge)
{
	if (converge->urgent || converge->dry_run)
		return false;
	return converge->parsed.options.goal != PLAN_DOWN || by->parsed.options.goal == PLAN_DOWN;
}

/* Systemd may take its time, and nothing of it is there yet. */
static void call_off_start(struct converge *converge, size_t index)
{
	const struct operation *operation = &converge->plan->operations[index];
	struct instance *instance = NULL;
	struct error err = ERROR_INIT;

	if (operation->kind == OP_START_CONTAINER && converge->runs[index].state == RUN_RUNNING)
		instance = converge_instance(converge, operation);
	if (!instance || instance->state != INSTANCE_ENTERING)
		return;
	error_set(&err, ECANCELED, "container %s: its start was called off", instance->name);
	converge_finish_operation(converge, index, &err);
	instance_call_off(instance);
}

void interrupt_by(struct converge *converge, const struct converge *by)
{
	static const char *const commands[] = {
		[PLAN_UP] = "up",     [PLAN_DOWN] = "down",       [PLAN_START] = "start",
		[PLAN_STOP] = "stop", [PLAN_RESTART] = "restart", [PLAN_KILL] = "kill",
		[PLAN_REMOVE] = "rm", [PLAN_PAUSE] = "pause",     [PLAN_UNPAUSE] = "unpause",
	};

	if (!converge->err.code)
		error_set(&converge->err, ECANCELED, "interrupted by \"berth %s\"",
			  commands[by->parsed.options.goal]);
	converge->abandoned = true;
	if (!converge->begun || !converge->plan) {
		converge->begun = true;
		converge->waiting = 0;
		return;
	}
	for (size_t i = 0; i < converge->plan->count; i++) {
		struct operation_run *run = &converge->runs[i];

		if (run->state != RUN_WAITING &&
		    !(run->state == RUN_RUNNING &&
		      goes_on_alone(converge->plan->operations[i].kind)))
			continue;
		run->state = RUN_SKIPPED;
		converge->waiting--;
	}
	for (size_t i = 0; i < converge->plan->count; i++) {
		task_cancel(converge, i);
		call_off_start(converge, i);
	}
}
