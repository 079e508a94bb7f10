// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/executor.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/alloc.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/control/requests.h"
#include "compose/supervisor/converge/coming.h"
#include "compose/supervisor/converge/converge.h"
#include "compose/supervisor/converge/interrupt.h"
#include "compose/supervisor/converge/networks.h"
#include "compose/supervisor/converge/operations.h"
#include "compose/supervisor/converge/planning.h"
#include "compose/supervisor/converge/revive.h"
#include "compose/supervisor/converge/rollback.h"
#include "compose/supervisor/converge/timeline.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/instance/oneoff.h"
#include "compose/supervisor/network/names.h"
#include "compose/supervisor/network/ports.h"
#include "compose/supervisor/network/sockets.h"
#include "compose/supervisor/notify.h"
#include "compose/supervisor/observe.h"
#include "compose/supervisor/requests/events.h"
#include "compose/supervisor/schedule.h"
#include "compose/supervisor/state.h"

#define QUEUE_MAX 64

struct executor {
	struct supervisor *supervisor;
	struct converge *first;   /* the one at work */
	struct converge *parting; /* done, but for the answer */
	size_t queued;
	size_t births, births_max;
	bool stepping, again;
	sd_event_source *soon, *later, *idle;
};

struct executor *executor_new(struct supervisor *supervisor)
{
	struct executor *executor = new (struct executor);
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	executor->supervisor = supervisor;
	executor->births_max = 2 * (size_t)(processors > 1 ? processors : 1);
	return executor;
}

void executor_free(struct executor *executor)
{
	if (!executor)
		return;
	while (executor->first) {
		struct converge *converge = executor->first;

		executor->first = converge->next;
		converge_free(converge);
	}
	sd_event_source_disable_unref(executor->soon);
	sd_event_source_disable_unref(executor->later);
	sd_event_source_disable_unref(executor->idle);
	free(executor);
}

bool executor_birth_may_begin(const struct executor *executor)
{
	return executor->births < executor->births_max;
}

void executor_birth_began(struct executor *executor)
{
	executor->births++;
}

void executor_birth_over(struct executor *executor)
{
	executor->births--;
}

void executor_again(struct executor *executor)
{
	executor->again = true;
}

static bool starts(const struct operation *operation, const struct instance *instance)
{
	if (operation->kind != OP_START_CONTAINER)
		return false;
	if (operation->id || operation->oneoff || instance->oneoff)
		return str_equal(operation->id ?: operation->name,
				 operation->id ? instance->id : instance->name);
	/* One that is made anew may still have another name. */
	return operation->number == instance->number &&
	       str_equal(operation->service, instance->service_name);
}

bool executor_will_start(const struct executor *executor, const struct instance *instance)
{
	if (instance->revive && !executor->supervisor->shutdown)
		return true;
	for (const struct converge *at = executor->first; at; at = at->next)
		for (size_t i = 0; at->plan && !at->dry_run && i < at->plan->count; i++)
			if ((at->runs[i].state == RUN_WAITING ||
			     at->runs[i].state == RUN_RUNNING) &&
			    starts(&at->plan->operations[i], instance))
				return true;
	return false;
}

size_t executor_births(const struct executor *executor)
{
	return executor ? executor->births : 0;
}

const struct converge *executor_current(const struct executor *executor)
{
	return executor->first;
}

bool executor_idle(const struct executor *executor)
{
	return !executor->first;
}

static void unlink_converge(struct converge **at, struct converge *converge)
{
	while (*at != converge)
		at = &(*at)->next;
	*at = converge->next;
	converge->next = NULL;
}

static void answer(struct converge *converge)
{
	if (converge->listener.done)
		converge->listener.done(converge->listener.context, &converge->err,
					converge->err.code ? 1 : 0, NULL);
	converge_free(converge);
}

bool executor_is_parting(const struct executor *executor, const void *context)
{
	for (const struct converge *at = executor->parting; at; at = at->next)
		if (at->listener.context == context)
			return true;
	return false;
}

void executor_part(struct executor *executor)
{
	while (executor->parting) {
		struct converge *converge = executor->parting;

		executor->parting = converge->next;
		answer(converge);
	}
}

/* It took away all there was: then we go as well. */
static bool left_nothing(const struct converge *converge)
{
	bool down = converge->parsed.options.goal == PLAN_DOWN && !converge->parsed.services;
	bool single = converge->parsed.options.goal == PLAN_REMOVE &&
		      str_starts_with(converge->supervisor->project, SINGLE_PREFIX);

	return (down || single) && !converge->dry_run && !converge->err.code &&
	       !converge->supervisor->instances.count;
}

/* Also of those that did not run just then. */
static void settle_awaited(const struct converge *converge)
{
	struct supervisor *supervisor = converge->supervisor;
	char *const *services = converge->parsed.services;
	enum plan_goal goal = converge->parsed.options.goal;

	if (converge->dry_run || converge->revive || converge->parsed.containers)
		return;
	if (goal == PLAN_UP || goal == PLAN_START) {
		schedule_resume(supervisor, services);
		if (!converge->parsed.options.no_start)
			sockets_resume(supervisor->sockets, services);
	} else if (goal == PLAN_STOP || goal == PLAN_KILL) {
		schedule_suspend(supervisor, services);
		sockets_suspend(supervisor->sockets, services);
	}
}

static void finish(struct executor *executor, struct converge *converge)
{
	struct converge *back = converge->plan ? rollback_new(converge) : NULL;
	struct supervisor *supervisor = executor->supervisor;
	bool changed = !converge->dry_run && converge->plan && converge->plan->count;
	bool tidy;

	if (converge->plan)
		planning_mark_leaving(converge, false);
	converge_drop_ahead(converge);
	networks_release(converge);
	unlink_converge(&executor->first, converge);
	executor->queued--;
	if (converge->failure.code)
		rollback_end(converge);
	if (back) {
		back->next = executor->first;
		executor->first = back;
		executor->queued++;
	}
	if (!executor->first)
		ports_unreserve(supervisor->ports);
	ports_flush(supervisor->ports);
	names_flush(supervisor);
	timeline_note(converge);
	if (changed)
		supervisor->removed = false;
	if (converge->revive)
		revive_end(converge);
	settle_awaited(converge);
	if (!converge->dry_run)
		events_settled(supervisor->events);
	if (!executor->first)
		sockets_settle(supervisor->sockets);
	tidy = changed;
	if (left_nothing(converge)) {
		supervisor->removed = true;
		tidy &= !converge->tidied;
		converge->next = executor->parting;
		executor->parting = converge;
	} else {
		answer(converge);
	}
	if (tidy)
		state_tidy_later(supervisor);
	/* Planning for hundreds of containers takes memory that a quiet supervisor need not keep.
	 */
	observe_forget_images(supervisor);
	malloc_trim(0);
	executor_revive(executor);
	supervisor_maybe_end(supervisor);
}

/* True when it is at its end. */
static bool advance(struct executor *executor, struct converge *converge)
{
	if (!converge->begun) {
		converge->begun = true;
		converge->begun_usec = units_monotonic_usec();
		notifier_look(executor->supervisor->notifier);
		if (planning_begin(converge, &converge->err) < 0)
			converge->waiting = 0;
	}
	interrupt_unwatched(converge);
	do {
		executor->again = false;
		if (converge->waiting)
			converge_begin_operations(converge);
	} while (executor->again);
	return !converge->waiting;
}

static void ahead_when_idle(struct executor *executor);

/* What is being probed goes first: nothing else was to be done. */
static int on_idle(sd_event_source *source, void *data)
{
	struct executor *executor = data;

	if (executor->first && !executor->births &&
	    converge_begin_ahead(executor->first, executor->births_max))
		ahead_when_idle(executor);
	return 0;
}

static void ahead_when_idle(struct executor *executor)
{
	if (executor->idle)
		(void)sd_event_source_set_enabled(executor->idle, SD_EVENT_ONESHOT);
	else if (sd_event_add_defer(executor->supervisor->event, &executor->idle, on_idle,
				    executor) >= 0)
		(void)sd_event_source_set_priority(executor->idle, SD_EVENT_PRIORITY_IDLE);
}

/* Goes on as far as it can without waiting for anything. */
static void step(struct executor *executor)
{
	struct converge *at = executor->first;

	if (executor->stepping) {
		executor->again = true;
		return;
	}
	executor->stepping = true;
	while (at) {
		if ((at != executor->first && !at->urgent) || !advance(executor, at)) {
			at = at->next;
			continue;
		}
		finish(executor, at);
		at = executor->first;
	}
	executor->stepping = false;
	notifier_look(executor->supervisor->notifier);
	/* Nobody follows soon who could share the commit. */
	if (!executor->births)
		ports_flush(executor->supervisor->ports);
	if (executor->first && !executor->births)
		ahead_when_idle(executor);
}

static int on_soon(sd_event_source *source, void *data)
{
	step(data);
	return 0;
}

/* From the loop: the caller may still be in the middle of a container that a step removes. */
static void step_soon(struct executor *executor)
{
	if (executor->soon)
		(void)sd_event_source_set_enabled(executor->soon, SD_EVENT_ONESHOT);
	else if (sd_event_add_defer(executor->supervisor->event, &executor->soon, on_soon,
				    executor) < 0)
		step(executor);
}

void executor_step(struct executor *executor)
{
	step_soon(executor);
}

static void queue(struct executor *executor, struct converge *converge)
{
	struct converge **at = &executor->first;
	bool interrupting = interrupt_wanted(converge);

	converge->urgent = converge->parsed.options.goal == PLAN_KILL && !converge->dry_run;
	for (; *at; at = &(*at)->next)
		if (interrupting && interrupt_may(converge, *at))
			interrupt_by(*at, converge);
	*at = converge;
	executor->queued++;
	step_soon(executor);
}

static void take_oneoff(struct converge *converge, const json_t *request, const int *fds,
			size_t count)
{
	converge->oneoff.foreground = json_get_bool(request, "foreground", false);
	converge->oneoff.auto_remove = json_get_bool(request, "auto_remove", false);
	converge->oneoff.use_aliases = json_get_bool(request, "use_aliases", false);
	oneoff_keep(converge->oneoff.fds, fds, count);
}

int executor_converge(struct executor *executor, const json_t *request, const char *request_id,
		      const int *fds, size_t count, const struct executor_listener *listener,
		      struct error *err)
{
	struct converge *converge;
	int r;

	if (executor->queued >= QUEUE_MAX)
		return error_set(err, EBUSY, "project %s: too many commands are waiting already",
				 executor->supervisor->project);
	converge = converge_new(executor->supervisor, json_incref((json_t *)request));
	converge->dry_run = json_get_bool(request, "dry_run", false);
	converge->tell_grace = json_get_bool(request, "interrupt", false);
	converge->parallel = (size_t)json_get_int(request, "parallel", 0);
	snprintf(converge->id, sizeof(converge->id), "%s", request_id);
	r = options_parse(converge->options_json, &converge->parsed, err);
	/* Nothing is pulled or built here: they only stand in a plan that is looked at. */
	if (!converge->dry_run)
		converge->parsed.options.image_count = 0;
	if (r == 0)
		r = coming_init(converge, request, err);
	converge->gathered = json_incref(json_object_get(request, "gathered"));
	if (r < 0) {
		converge_free(converge);
		return r;
	}
	take_oneoff(converge, request, fds, count);
	converge->listener = *listener;
	queue(executor, converge);
	return 0;
}

void executor_forget_listener(struct executor *executor, void *context)
{
	for (struct converge *converge = executor->first; converge; converge = converge->next) {
		if (converge->listener.context != context)
			continue;
		converge->listener = (struct executor_listener){0};
		coming_given_up(converge);
	}
	for (struct converge *converge = executor->parting; converge; converge = converge->next)
		if (converge->listener.context == context)
			converge->listener = (struct executor_listener){0};
	if (executor->first)
		step_soon(executor);
}

void executor_image_told(struct executor *executor, const void *context, const json_t *message)
{
	for (struct converge *converge = executor->first; converge; converge = converge->next)
		if (converge->listener.context == context)
			coming_told(converge, message);
	if (executor->first)
		step_soon(executor);
}

void executor_instance_changed(struct executor *executor, struct instance *instance)
{
	if (!executor || !executor->first)
		return;
	for (struct converge *at = executor->first; at; at = at->next)
		for (size_t i = 0; at->plan && i < at->plan->count; i++)
			if (at->runs[i].state == RUN_RUNNING)
				operation_look(at, i, instance);
	step_soon(executor);
}

static int on_later(sd_event_source *source, uint64_t usec, void *data)
{
	struct executor *executor = data;

	executor->later = sd_event_source_disable_unref(executor->later);
	for (struct converge *at = executor->first; at; at = at->next)
		for (size_t i = 0; at->plan && i < at->plan->count; i++)
			if (at->runs[i].state == RUN_RUNNING &&
			    (at->plan->operations[i].kind == OP_WAIT ||
			     at->plan->operations[i].kind == OP_PROCEED))
				operation_look(at, i, NULL);
	step(executor);
	return 0;
}

void executor_look_later(struct executor *executor, uint64_t usec)
{
	uint64_t at_usec = 0, now_usec = (uint64_t)units_monotonic_usec();

	/* Each look asks for the next: the earliest of them is enough. */
	if (executor->later) {
		(void)sd_event_source_get_time(executor->later, &at_usec);
		if (at_usec > now_usec + usec)
			(void)sd_event_source_set_time(executor->later, now_usec + usec);
		return;
	}
	(void)sd_event_add_time(executor->supervisor->event, &executor->later, CLOCK_MONOTONIC,
				now_usec + usec, 1, on_later, executor);
}

void executor_born(struct executor *executor, const struct instance *instance)
{
	for (struct converge *at = executor->first; at; at = at->next) {
		for (size_t i = 0; at->plan && i < at->plan->count; i++) {
			const struct operation *operation = &at->plan->operations[i];

			if (!at->runs[i].birth ||
			    !str_equal(operation->id ?: operation->name,
				       operation->id ? instance->id : instance->name))
				continue;
			at->runs[i].birth = false;
			executor->births--;
			executor->again = true;
			step_soon(executor);
		}
	}
}

void executor_revive(struct executor *executor)
{
	struct converge *converge = NULL;

	if (!executor->first && !executor->supervisor->shutdown)
		converge = revive_new(executor->supervisor);
	if (converge)
		queue(executor, converge);
}

void executor_stop_all(struct executor *executor)
{
	struct executor_listener nobody = {0};
	struct error err = ERROR_INIT;
	json_t *request = json_pack("{s:{s:s,s:b}}", "options", "goal", "stop", "by_label", 1);

	if (executor_converge(executor, request, "", NULL, 0, &nobody, &err) < 0)
		log_error("%s", err.message);
	json_decref(request);
}
