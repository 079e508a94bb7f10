// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/converge/waits.h"

#include "common/cleanup.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/model/pre_start.h"
#include "compose/supervisor/converge/converge.h"
#include "compose/supervisor/executor.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/probes/health.h"

#define SETTLED_USEC (500 * (int64_t)USEC_PER_MSEC)
/* Some await what they need by failing until it is there. */
#define LOOP_RESTARTS 3

static int wait_failed(const struct operation *operation, const struct instance *instance,
		       struct error *err)
{
	const char *prefix = operation->final     ? ""
			     : operation->standby ? "the old container stays: "
						  : "dependency failed to start: ";
	_cleanup_free_ char *reason = NULL;

	if (service_is_pre_start(instance->service))
		return error_set(err, ECHILD,
				 "%.*s hook exited with status %d (pre_start: see the log of "
				 "container %s)",
				 (int)pre_start_owner_length(instance->service),
				 instance->service_name, instance->exit_code, instance->name);
	if (operation->condition == CONDITION_COMPLETED)
		return error_set(
			err, ECHILD, "service \"%s\" didn't complete successfully: exit %d%s",
			instance->service_name, instance->exit_code,
			instance->oom_killed ? ": the kernel killed it for lack of memory" : "");
	if (instance_health(instance) == HEALTH_UNHEALTHY) {
		reason = health_reason(instance->health);
		return error_set(err, ECHILD, "%scontainer %s is unhealthy%s%s", prefix,
				 instance->name, reason ? ": " : "", reason ?: "");
	}
	return error_set(err, ECHILD, "%scontainer %s exited (%d)%s", prefix, instance->name,
			 instance->exit_code,
			 instance->oom_killed ? ": the kernel killed it for lack of memory" : "");
}

/*
 * For `--wait` a program that runs has to go on for a moment: most that fail do so at once, and
 * users are to learn of it by the exit code.
 */
static int settled(const struct operation *operation, const struct instance *instance)
{
	int64_t settle_usec = SETTLED_USEC;
	int64_t up_usec = units_monotonic_usec() - instance->started_usec;

	if (operation->delay_usec)
		settle_usec = operation->delay_usec;
	if (instance->state != INSTANCE_RUNNING)
		return 1;
	if (!(operation->final || operation->standby) || up_usec >= settle_usec)
		return 0;
	executor_look_later(instance->supervisor->executor, (uint64_t)(settle_usec - up_usec));
	return 1;
}

/* 0: holds; 1: not yet; negative: it never will. */
static int wait_look(const struct operation *operation, const struct instance *instance,
		     struct error *err)
{
	enum health_status health = instance_health(instance);
	bool over = instance->state == INSTANCE_EXITED;

	switch (operation->condition) {
	case CONDITION_COMPLETED:
		if (!over)
			return 1;
		return instance->exit_code == 0 ? 0 : wait_failed(operation, instance, err);
	case CONDITION_HEALTHY:
		if (over || health == HEALTH_UNHEALTHY)
			return wait_failed(operation, instance, err);
		/* Its image came after the plan was made. */
		if (health == HEALTH_NONE && !operation->waiter)
			return settled(operation, instance);
		/* Whether it has a check is only known of its image. */
		if (operation->standby && health == HEALTH_NONE)
			return settled(operation, instance);
		if (operation->standby && health == HEALTH_HEALTHY && operation->delay_usec)
			return settled(operation, instance);
		if (health == HEALTH_NONE && instance->state == INSTANCE_RUNNING)
			return error_set(err, EINVAL, "container %s has no healthcheck configured",
					 instance->name);
		return health == HEALTH_HEALTHY ? 0 : 1;
	default:
		if (over)
			return wait_failed(operation, instance, err);
		return settled(operation, instance);
	}
}

/* It may go on like that for ever, and its policy wants it to: who waits is told. */
static void warn_of_loop(struct converge *converge, const struct operation *operation,
			 const struct instance *instance)
{
	struct operation_run *run = &converge->runs[operation - converge->plan->operations];
	_cleanup_free_ char *text = NULL;

	if (run->warned || instance->state != INSTANCE_BACKOFF ||
	    instance->restarts < LOOP_RESTARTS)
		return;
	run->warned = true;
	text = str_printf("container %s exits again and again (%d), and is waited for: see "
			  "\"berth logs %s\"",
			  instance->name, instance->exit_code, instance->service_name);
	converge_warn(converge, text);
}

int waits_look(struct converge *converge, const struct operation *operation,
	       const struct instance *instance, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	int r = wait_look(operation, instance, err);

	if (r > 0)
		warn_of_loop(converge, operation, instance);
	if (r >= 0 || operation->required)
		return r;
	text = str_printf("optional dependency \"%s\" failed to start: %s", instance->service_name,
			  err->message);
	converge_warn(converge, text);
	error_clear(err);
	return 0;
}

static unsigned int failed_handovers(const struct converge *converge, size_t until)
{
	const struct operation *operations = converge->plan->operations;
	unsigned int failed = 0;

	for (size_t i = 0; i < until; i++)
		failed += operations[i].kind == OP_SWITCH_TRAFFIC &&
			  str_equal(operations[i].service, operations[until].service) &&
			  converge->runs[i].state != RUN_DONE;
	return failed;
}

int waits_proceed(struct converge *converge, size_t index, struct error *err)
{
	const struct operation *operation = &converge->plan->operations[index];
	struct operation_run *run = &converge->runs[index];
	int64_t now = units_monotonic_usec();

	if (failed_handovers(converge, index) > operation->allowed)
		return error_set(err, ECANCELED, "service %s: its update goes no further",
				 operation->service);
	if (now - run->begun_usec >= operation->delay_usec)
		return 0;
	executor_look_later(converge->supervisor->executor,
			    (uint64_t)(operation->delay_usec - (now - run->begun_usec)));
	return 1;
}
