// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/executor.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/control/requests.h"
#include "compose/supervisor/coming.h"
#include "compose/supervisor/instance.h"
#include "compose/supervisor/names.h"
#include "compose/supervisor/notify.h"
#include "compose/supervisor/observe.h"
#include "compose/supervisor/operations.h"
#include "compose/supervisor/options.h"
#include "compose/supervisor/ports.h"
#include "compose/supervisor/schedule.h"
#include "compose/supervisor/state.h"
#include "compose/supervisor/timeline.h"

#define QUEUE_MAX 64

struct executor {
	struct supervisor *supervisor;
	struct converge *first;   /* the one at work */
	struct converge *parting; /* done, but for the answer */
	size_t queued;
	size_t births, births_max;
	bool stepping, again;
	sd_event_source *soon, *later;
};

struct executor *executor_new(struct supervisor *supervisor)
{
	struct executor *executor = new (struct executor);
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	executor->supervisor = supervisor;
	executor->births_max = 2 * (size_t)(processors > 1 ? processors : 1);
	return executor;
}

static void converge_free(struct supervisor *supervisor, struct converge *converge)
{
	for (size_t i = 0; converge->plan && i < converge->plan->count; i++)
		free(converge->runs[i].removal);
	plan_free(converge->plan);
	options_done(&converge->parsed);
	model_unref(supervisor, converge->model);
	model_unref(supervisor, converge->oneoff.model);
	model_unref(supervisor, converge->before);
	for (size_t i = 0; i < ARRAY_SIZE(converge->oneoff.stdio); i++)
		cleanup_close_fd(&converge->oneoff.stdio[i]);
	json_decref(converge->request);
	json_decref(converge->options_json);
	coming_done(converge);
	free(converge->runs);
	free(converge->revived);
	free(converge);
}

void executor_free(struct executor *executor)
{
	if (!executor)
		return;
	while (executor->first) {
		struct converge *converge = executor->first;

		executor->first = converge->next;
		converge_free(executor->supervisor, converge);
	}
	sd_event_source_disable_unref(executor->soon);
	sd_event_source_disable_unref(executor->later);
	free(executor);
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

void converge_tell(struct converge *converge, json_t *event)
{
	if (converge->listener.event)
		converge->listener.event(converge->listener.context, event);
	json_decref(event);
}

void converge_warn(struct converge *converge, const char *text)
{
	json_t *event = json_object();

	json_put_string(event, "event", "warning");
	json_put_string(event, "text", text);
	converge_tell(converge, event);
}

void converge_progress(struct converge *converge, const char *object, const char *status,
		       const char *text, const char *details)
{
	json_t *event;

	if (!converge->listener.event)
		return;
	event = json_object();
	json_put_string(event, "event", "progress");
	json_put_string(event, "id", object);
	json_put_string(event, "status", status);
	json_put_string(event, "text", text);
	json_put_string(event, "details", details ?: "");
	converge_tell(converge, event);
}

static void send_plan(struct converge *converge)
{
	_cleanup_free_ char *text = plan_to_text(converge->plan);
	json_t *event = json_object();

	json_put_string(event, "event", "plan");
	json_put_string(event, "text", text);
	json_object_set_new(event, "operations", plan_to_json(converge->plan));
	converge_tell(converge, event);
}

/* What the operations are about to stop does not stand in the way of what they start. */
static void mark_leaving(struct converge *converge, bool leaving)
{
	struct supervisor *supervisor = converge->supervisor;

	for (size_t i = 0; i < converge->plan->count; i++) {
		const struct operation *operation = &converge->plan->operations[i];
		struct instance *instance;

		if (operation->kind != OP_STOP_CONTAINER && operation->kind != OP_REMOVE_CONTAINER)
			continue;
		instance = operation->id ? map_get(&supervisor->instances, operation->id) : NULL;
		if (instance)
			instance->leaving = leaving;
	}
}

/* A start takes ports, and an update of what goes on running. */
static bool takes_ports(const struct plan *plan, const struct operation *operation)
{
	if (operation->kind != OP_UPDATE_CONTAINER)
		return operation->kind == OP_START_CONTAINER;
	for (size_t i = 0; i < plan->count; i++)
		if (plan->operations[i].updated && str_equal(plan->operations[i].id, operation->id))
			return false;
	return true;
}

static int reserve_ports_of(struct converge *converge, const struct operation *operation,
			    struct error *err)
{
	struct supervisor *supervisor = converge->supervisor;
	const struct instance *instance =
		operation->id ? map_get(&supervisor->instances, operation->id) : NULL;
	const struct model *model = converge->model;
	const struct service *service = NULL;

	if (operation->kind == OP_UPDATE_CONTAINER || operation->updated) {
		service = project_service(model->project, operation->service);
	} else if (instance) {
		service = instance->service;
		model = instance->model;
	} else if (operation->oneoff && converge->oneoff.model) {
		service = project_service(converge->oneoff.model->project, operation->service);
	} else if (model) {
		service = project_service(model->project, operation->service);
	}
	if (!service || !model)
		return 0;
	return ports_reserve(supervisor->ports, model->project, service, instance, err);
}

/* A port that is taken is an error before anything happens. */
static int reserve_ports(struct converge *converge, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < converge->plan->count; i++)
		if (takes_ports(converge->plan, &converge->plan->operations[i]))
			r = reserve_ports_of(converge, &converge->plan->operations[i], err);
	return r;
}

static int make_plan(struct converge *converge, struct error *err)
{
	struct supervisor *supervisor = converge->supervisor;
	const struct plan_options *options = &converge->parsed.options;
	const struct model *model =
		converge->oneoff.model ?: converge->model ?: supervisor->current;
	_cleanup_strv_ char **coming = NULL;
	struct observed *observed = NULL;
	int r;

	if (options->by_label)
		model = converge->model;
	r = observe_facts(supervisor, model, converge->id, &observed, err);
	if (r == 0) {
		struct facts facts = *observed_facts(observed);

		coming = coming_missing(converge);
		facts.coming = (const char *const *)coming;
		r = plan_reconcile(model ? model->project : NULL, &facts, options, &converge->plan,
				   err);
	}
	observed_free(observed);
	if (r < 0)
		return r;
	if (!converge->model && model)
		converge->model = model_ref((struct model *)model);
	converge->runs = new_array(struct operation_run, converge->plan->count + 1);
	converge->waiting = converge->plan->count;
	for (size_t i = 0; i < converge->plan->count; i++)
		converge->runs[i].unmet = converge->plan->operations[i].after_count;
	return 0;
}

/* The project as asked for: taken over by `up`, only looked at by the others. */
static int take_project(struct converge *converge, struct error *err)
{
	struct supervisor *supervisor = converge->supervisor;
	const json_t *project = json_object_get(converge->request, "project");
	bool accept = converge->parsed.options.goal == PLAN_UP && !converge->dry_run;
	int r = 0;

	if (json_is_object(project))
		r = accept ? state_accept(supervisor, project, &converge->model, err)
			   : model_parse(supervisor, project, &converge->model, err);
	if (r == 0 && accept && converge->model)
		state_make_current(supervisor, converge->model);
	return r;
}

/* What `run` is to make: a service of its own, and a name that nobody has. */
static int begin_oneoff(struct converge *converge, struct error *err)
{
	struct supervisor *supervisor = converge->supervisor;
	const json_t *project = json_object_get(converge->request, "oneoff_project");
	const char *name = converge->parsed.options.oneoff;
	const struct instance *there = supervisor_find(supervisor, name);

	if (!json_is_object(project) || !converge->parsed.services)
		return error_set(err, EINVAL, "request: a one-off container of no service");
	if (there && strcmp(there->created_by, converge->id) != 0)
		return error_set(err, EEXIST,
				 "container name \"%s\" is already in use by container %.12s: "
				 "remove that one, or take another name",
				 name, there->id);
	if (converge->dry_run)
		return model_parse(supervisor, project, &converge->oneoff.model, err);
	return state_accept_oneoff(supervisor, project, &converge->oneoff.model, err);
}

static int begin(struct converge *converge, struct error *err)
{
	const json_t *project = json_object_get(converge->request, "project");
	int r;

	/* Before anything is written: a plan that cannot be made changes nothing. */
	if (json_is_object(project)) {
		r = model_parse(converge->supervisor, project, &converge->model, err);
		if (r < 0)
			return r;
	}
	if (converge->parsed.options.oneoff && begin_oneoff(converge, err) < 0)
		return -err->code;
	r = make_plan(converge, err);
	if (r < 0)
		return r;
	if (converge->plan->warnings)
		strv_foreach(warning, converge->plan->warnings)
			converge_warn(converge, warning);
	if (converge->dry_run) {
		send_plan(converge);
		converge->waiting = 0;
		return 0;
	}
	mark_leaving(converge, true);
	/* Of what ran before, one that cannot have its port back is no reason for the others. */
	r = converge->revive ? 0 : reserve_ports(converge, err);
	if (r < 0)
		return r;
	if (json_is_object(project)) {
		model_unref(converge->supervisor, TAKE_PTR(converge->model));
		r = take_project(converge, err);
		if (r < 0)
			return r;
	}
	json_decref(converge->request);
	converge->request = NULL;
	strv_foreach(name, converge->plan->running) {
		_cleanup_free_ char *object = str_printf("Container %s", name);

		converge_progress(converge, object, "Done", "Running", NULL);
	}
	return 0;
}

static bool after(const struct operation *operation, size_t index)
{
	for (size_t i = 0; i < operation->after_count; i++)
		if (operation->after[i] == index)
			return true;
	return false;
}

/* Prerequisite @index of @dependent is out of the way. */
static void meet(struct converge *converge, size_t dependent, size_t index)
{
	struct operation_run *run = &converge->runs[dependent];

	if (--run->unmet)
		return;
	run->ready_usec = converge->runs[index].ended_usec;
	run->last = index + 1;
}

static void note_done(struct converge *converge, size_t index)
{
	for (size_t i = index + 1; i < converge->plan->count; i++)
		if (converge->runs[i].state == RUN_WAITING &&
		    after(&converge->plan->operations[i], index))
			meet(converge, i, index);
}

/* It was not done: that is good enough for those that only want it over with. */
static void note_undone(struct converge *converge, size_t index)
{
	for (size_t i = index + 1; i < converge->plan->count; i++)
		if (converge->runs[i].state == RUN_WAITING &&
		    converge->plan->operations[i].always &&
		    after(&converge->plan->operations[i], index))
			meet(converge, i, index);
}

/* What can be done without, and cannot be had, is no longer waited for. */
static void skip(struct converge *converge, size_t index, size_t why)
{
	const struct operation *operation = &converge->plan->operations[index];
	bool needed = operation->kind != OP_WAIT || operation->required;

	converge->runs[index].state = needed ? RUN_SKIPPED : RUN_DONE;
	converge->runs[index].last = why + 1;
	converge->runs[index].ended_usec = units_monotonic_usec();
	converge->waiting--;
	if (needed)
		note_undone(converge, index);
	else
		note_done(converge, index);
}

/* Prerequisites come first in the plan, so one walk finds everything that hangs on it. */
static void skip_dependents(struct converge *converge, size_t failed)
{
	for (size_t i = failed + 1; i < converge->plan->count; i++) {
		const struct operation *operation = &converge->plan->operations[i];

		if (converge->runs[i].state != RUN_WAITING || operation->always)
			continue;
		for (size_t k = 0; k < operation->after_count; k++) {
			enum run_state state = converge->runs[operation->after[k]].state;

			if (state != RUN_FAILED && state != RUN_SKIPPED)
				continue;
			skip(converge, i, operation->after[k]);
			break;
		}
	}
}

void converge_finish_operation(struct converge *converge, size_t index, const struct error *err)
{
	struct executor *executor = converge->supervisor->executor;
	struct operation_run *run = &converge->runs[index];

	if (run->state != RUN_RUNNING)
		return;
	converge->waiting--;
	if (run->birth) {
		run->birth = false;
		executor->births--;
	}
	run->state = err && err->code ? RUN_FAILED : RUN_DONE;
	run->ended_usec = units_monotonic_usec();
	operation_report_end(converge, index, err);
	if (run->state == RUN_FAILED) {
		if (!converge->err.code)
			converge->err = *err;
		note_undone(converge, index);
		skip_dependents(converge, index);
	} else {
		note_done(converge, index);
	}
	executor->again = true;
}

/* They take nothing from anybody. */
static bool is_wait(const struct converge *converge, size_t index)
{
	enum operation_kind kind = converge->plan->operations[index].kind;

	return kind == OP_WAIT || kind == OP_AWAIT_IMAGE || kind == OP_PROCEED ||
	       kind == OP_DRAIN_CONTAINER;
}

static size_t running_operations(const struct converge *converge)
{
	size_t running = 0;

	for (size_t i = 0; i < converge->plan->count; i++)
		running += converge->runs[i].state == RUN_RUNNING && !is_wait(converge, i);
	return running;
}

static bool may_begin(const struct executor *executor, const struct converge *converge,
		      size_t index)
{
	if (converge->runs[index].state != RUN_WAITING || converge->runs[index].unmet)
		return false;
	if (converge->parallel && !is_wait(converge, index) &&
	    running_operations(converge) >= converge->parallel)
		return false;
	/* Networks go when nothing else is under way, and so at once. */
	if (converge->plan->operations[index].kind == OP_REMOVE_NETWORK &&
	    running_operations(converge))
		return false;
	return converge->plan->operations[index].kind != OP_START_CONTAINER ||
	       executor->births < executor->births_max;
}

static void begin_operations(struct executor *executor, struct converge *converge)
{
	for (size_t i = 0; i < converge->plan->count; i++) {
		if (!may_begin(executor, converge, i))
			continue;
		converge->runs[i].state = RUN_RUNNING;
		/* A removal is begun twice (operation_look()). */
		if (!converge->runs[i].begun_usec)
			converge->runs[i].begun_usec = units_monotonic_usec();
		if (converge->plan->operations[i].kind == OP_START_CONTAINER) {
			converge->runs[i].birth = true;
			executor->births++;
		}
		operation_begin(converge, i);
	}
}

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
static void abandon(struct converge *converge)
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

static bool is_interrupting(const struct converge *converge)
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

/* What takes all away is ended by its like only: a shorter grace, say. */
static bool may_interrupt(const struct converge *by, const struct converge *converge)
{
	if (converge->urgent || converge->dry_run)
		return false;
	return converge->parsed.options.goal != PLAN_DOWN || by->parsed.options.goal == PLAN_DOWN;
}

static void interrupt(struct converge *converge, const struct converge *by)
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
	for (size_t i = 0; i < converge->plan->count; i++)
		operation_cancel(converge, i);
}

/*
 * What was tried and failed is left to its restart policy; what was not even tried (a client came
 * in between) is tried when the clients are done.
 */
static void end_revival(struct converge *converge)
{
	if (converge->err.code && !converge->abandoned)
		log_error("start what ran before: %s", converge->err.message);
	if (converge->abandoned)
		return;
	for (const char **id = converge->revived; *id; id++) {
		struct instance *instance = map_get(&converge->supervisor->instances, *id);

		if (instance && instance->revive)
			instance_revive(instance);
	}
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
	struct supervisor *supervisor = converge->supervisor;

	if (converge->listener.done)
		converge->listener.done(converge->listener.context, &converge->err,
					converge->err.code ? 1 : 0, NULL);
	converge_free(supervisor, converge);
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
static void settle_schedules(const struct converge *converge)
{
	enum plan_goal goal = converge->parsed.options.goal;

	if (converge->dry_run || converge->revive || converge->parsed.containers)
		return;
	if (goal == PLAN_UP || goal == PLAN_START)
		schedule_resume(converge->supervisor, converge->parsed.services);
	else if (goal == PLAN_STOP || goal == PLAN_KILL)
		schedule_suspend(converge->supervisor, converge->parsed.services);
}

/* @request is taken. */
static struct converge *converge_new(struct executor *executor, json_t *request)
{
	struct converge *converge = new (struct converge);

	converge->supervisor = executor->supervisor;
	converge->request = request;
	/* The words in the options point into the request, which is let go early. */
	converge->options_json = json_incref(json_object_get(request, "options"));
	for (size_t i = 0; i < ARRAY_SIZE(converge->oneoff.stdio); i++)
		converge->oneoff.stdio[i] = -EBADF;
	return converge;
}

void converge_note_handover(struct converge *converge, const struct instance *from)
{
	if (!converge->before)
		converge->before = model_ref(from->model);
}

static bool rolls_back(const struct converge *converge, const struct operation *operation)
{
	const struct service *service =
		converge->model ? project_service(converge->model->project, operation->service)
				: NULL;

	return service && str_equal(service->deploy.update_config.failure_action, "rollback") &&
	       project_service(converge->before->project, operation->service);
}

static bool has_handover(const struct converge *converge, const char *service, bool done)
{
	for (size_t i = 0; i < converge->plan->count; i++) {
		const struct operation *operation = &converge->plan->operations[i];

		if (operation->kind == OP_SWITCH_TRAFFIC &&
		    (converge->runs[i].state == RUN_DONE) == done &&
		    str_equal(operation->service, service))
			return true;
	}
	return false;
}

/* Services some of whose replicas have handed over, and others could not; new list. */
static json_t *half_updated(const struct converge *converge)
{
	json_t *names = json_array();
	const char *last = NULL;

	for (size_t i = 0; i < converge->plan->count; i++) {
		const struct operation *operation = &converge->plan->operations[i];

		if (operation->kind != OP_SWITCH_TRAFFIC || str_equal(operation->service, last) ||
		    !rolls_back(converge, operation) ||
		    !has_handover(converge, operation->service, true) ||
		    !has_handover(converge, operation->service, false))
			continue;
		last = operation->service;
		json_array_append_new(names, json_string(last));
	}
	return names;
}

/*
 * The services as their containers were before, brought up by the same means, for whoever waits
 * for the answer; which is the failure in any case. NULL: there is nothing to go back to.
 */
static struct converge *rollback(struct converge *converge)
{
	struct converge *back;
	struct error err = ERROR_INIT;
	json_t *names;

	if (!converge->before || !converge->err.code || converge->failure.code ||
	    converge->abandoned)
		return NULL;
	names = half_updated(converge);
	if (!json_array_size(names)) {
		json_decref(names);
		return NULL;
	}
	back = converge_new(converge->supervisor->executor,
			    json_pack("{s:{s:s,s:b,s:b,s:o}}", "options", "goal", "up", "no_deps",
				      1, "rollback", 1, "services", names));
	if (options_parse(back->options_json, &back->parsed, &err) < 0) {
		log_error("%s", err.message);
		converge_free(converge->supervisor, back);
		return NULL;
	}
	back->model = TAKE_PTR(converge->before);
	back->failure = converge->err;
	back->listener = converge->listener;
	converge->listener = (struct executor_listener){0};
	return back;
}

/* How it went is told with why there was one. */
static void end_rollback(struct converge *converge)
{
	struct error how = converge->err;

	converge->err = converge->failure;
	if (how.code)
		log_error("roll back: %s", how.message);
	(void)error_wrap(&converge->err, "%s",
			 how.code ? "update failed, and so did going back" : "update rolled back");
}

static void finish(struct executor *executor, struct converge *converge)
{
	struct converge *back = converge->plan ? rollback(converge) : NULL;
	struct supervisor *supervisor = executor->supervisor;
	bool changed = !converge->dry_run && converge->plan && converge->plan->count;

	if (converge->plan)
		mark_leaving(converge, false);
	operations_release_networks(converge);
	unlink_converge(&executor->first, converge);
	executor->queued--;
	if (converge->failure.code)
		end_rollback(converge);
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
		end_revival(converge);
	settle_schedules(converge);
	if (left_nothing(converge)) {
		supervisor->removed = true;
		converge->next = executor->parting;
		executor->parting = converge;
	} else {
		answer(converge);
	}
	if (changed)
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
		if (begin(converge, &converge->err) < 0)
			converge->waiting = 0;
	}
	abandon(converge);
	do {
		executor->again = false;
		if (converge->waiting)
			begin_operations(executor, converge);
	} while (executor->again);
	return !converge->waiting;
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
	bool interrupting = is_interrupting(converge);

	converge->urgent = converge->parsed.options.goal == PLAN_KILL && !converge->dry_run;
	for (; *at; at = &(*at)->next)
		if (interrupting && may_interrupt(converge, *at))
			interrupt(*at, converge);
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
	for (size_t i = 0; count == 3 && i < count; i++)
		converge->oneoff.stdio[i] = fd_dup(fds[i]);
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
	converge = converge_new(executor, json_incref((json_t *)request));
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
	if (r < 0) {
		converge_free(executor->supervisor, converge);
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
	struct supervisor *supervisor = executor->supervisor;
	struct executor_listener nobody = {0};
	struct error err = ERROR_INIT;
	struct converge *converge = NULL;
	const char **ids = NULL;
	size_t count = 0;

	if (executor->first || supervisor->shutdown)
		return;
	map_foreach(entry, &supervisor->instances) {
		const struct instance *instance = entry->value;

		if (instance->revive)
			*array_add(ids, count) = instance->id;
	}
	if (!count)
		return;
	*array_add(ids, count) = NULL;
	log_info("%zu containers ran before: starting them again", count - 1);
	converge = converge_new(executor, json_pack("{s:{s:s,s:b}}", "options", "goal", "start",
						    "by_label", !supervisor->current));
	converge->revive = true;
	converge->revived = ids;
	converge->listener = nobody;
	if (options_parse(converge->options_json, &converge->parsed, &err) < 0) {
		log_error("%s", err.message);
		converge_free(supervisor, converge);
		return;
	}
	converge->parsed.options.containers = ids;
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
