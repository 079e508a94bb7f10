// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/instance/oneoff.h"

#include <string.h>
#include <time.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/supervisor/executor.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/instance/start_stdio.h"
#include "compose/supervisor/logs/pump.h"
#include "compose/supervisor/requests/connection.h"
#include "compose/supervisor/state.h"

/* So long a client has to come back after its supervisor was killed. */
#define RETURN_USEC (15 * (int64_t)USEC_PER_SEC)

/* A client that waits for its container to start or to end. */
struct caller {
	struct caller *next;
	struct oneoffs *oneoffs;
	struct connection *connection;
	char *name; /* the container's */
	bool foreground;
	bool handed; /* has the terminal: from here on only the end is of interest */
	bool started, dry_run;
	json_t *last_word; /* the reply, for when the container is removed; else NULL */
};

struct oneoffs {
	struct supervisor *supervisor;
	struct caller *callers;
	sd_event_source *sweep, *settle;
};

static void sweep_later(struct oneoffs *oneoffs, int64_t usec);

struct oneoffs *oneoffs_new(struct supervisor *supervisor)
{
	struct oneoffs *oneoffs = new (struct oneoffs);

	oneoffs->supervisor = supervisor;
	return oneoffs;
}

static struct caller *caller_of(const struct oneoffs *oneoffs, const struct instance *instance)
{
	struct caller *caller = oneoffs ? oneoffs->callers : NULL;

	while (caller && strcmp(caller->name, instance->name) != 0)
		caller = caller->next;
	return caller;
}

static void caller_free(struct caller *caller)
{
	struct caller **at = &caller->oneoffs->callers;

	while (*at && *at != caller)
		at = &(*at)->next;
	if (*at)
		*at = caller->next;
	json_decref(caller->last_word);
	free(caller->name);
	free(caller);
}

static void replace(int *fd, int by)
{
	cleanup_close_fd(fd);
	*fd = fd_dup(by);
}

void oneoff_keep(int *to, const int *fds, size_t count)
{
	if (count == 1)
		replace(&to[RUN_LOG_STDOUT], fds[0]);
	for (size_t i = 0; count >= 3 && i < count && i < RUN_FDS; i++)
		replace(&to[i], fds[i]);
}

void oneoff_take(struct instance *instance, int *fds)
{
	for (size_t i = 0; i < RUN_FDS; i++) {
		cleanup_close_fd(&instance->client[i]);
		instance->client[i] = TAKE_FD(fds[i]);
	}
}

/* Nobody reads what it says any more: the log does, once it has what was copied for it. */
static void take_over(struct instance *instance)
{
	struct error err = ERROR_INIT;
	int copy;

	if (!instance->foreground)
		return;
	instance->foreground = false;
	state_note(instance);
	if (instance->log)
		log_pump_drain(instance->log);
	if (instance->log)
		start_stdio_without_client(instance);
	if (!instance->tty)
		return;
	copy = instance->pty_fd >= 0 ? fd_dup(instance->pty_fd) : -EBADF;
	if (copy >= 0 &&
	    (!instance->log || log_pump_add_stream(instance->log, copy, LOG_STDOUT, &err) < 0))
		log_error("%s: its terminal is not logged: %s", instance->name, err.message);
}

static void client_left(struct connection *connection, void *data)
{
	struct caller *caller = data;
	struct instance *instance = supervisor_find(caller->oneoffs->supervisor, caller->name);
	struct oneoffs *oneoffs = caller->oneoffs;

	executor_forget_listener(oneoffs->supervisor->executor, caller);
	caller_free(caller);
	if (instance)
		instance->told = true;
	if (instance && instance->pid)
		take_over(instance);
	sweep_later(oneoffs, 0);
}

static json_t *reply_of(const struct instance *instance)
{
	json_t *reply = json_object();

	json_put_string(reply, "container", instance->id);
	json_put_int(reply, "exit_code", instance->exit_code);
	return reply;
}

/* The last word to the client. */
static void answer(struct caller *caller, struct instance *instance)
{
	struct oneoffs *oneoffs = caller->oneoffs;

	instance->told = true;
	connection_done(caller->connection, reply_of(instance), NULL, 0);
	caller_free(caller);
	sweep_later(oneoffs, 0);
}

/*
 * It has ended. One that goes then is gone before its client is told that all is done; what it
 * ended with is told at once, so that a client that loses us meanwhile does not ask for it again.
 */
static void conclude(struct caller *caller, struct instance *instance)
{
	json_t *event;

	if (!caller->foreground || !instance->auto_remove || instance_runs(instance)) {
		answer(caller, instance);
		return;
	}
	if (caller->last_word)
		return;
	instance->told = true;
	caller->last_word = reply_of(instance);
	event = json_copy(caller->last_word);
	json_put_string(event, "event", "ended");
	connection_event(caller->connection, event, NULL, 0);
	sweep_later(caller->oneoffs, 0);
}

static void hand_terminal(struct caller *caller, const struct instance *instance)
{
	json_t *event;

	if (!caller->foreground || caller->handed || instance->pty_fd < 0)
		return;
	event = json_object();
	json_put_string(event, "event", "terminal");
	json_put_string(event, "container", instance->id);
	connection_event(caller->connection, event, &instance->pty_fd, 1);
	caller->handed = true;
}

void oneoff_terminal(struct instance *instance)
{
	struct caller *caller = caller_of(instance->supervisor->oneoffs, instance);

	if (caller)
		hand_terminal(caller, instance);
	else
		take_over(instance);
}

void oneoff_instance_changed(struct instance *instance)
{
	struct oneoffs *oneoffs = instance->supervisor->oneoffs;
	struct caller *caller;

	if (!instance->oneoff || !oneoffs || instance_runs(instance))
		return;
	caller = caller_of(oneoffs, instance);
	/* Before it has started the request itself is still at work, and will tell. */
	if (caller && caller->started)
		conclude(caller, instance);
	else if (instance->auto_remove)
		sweep_later(oneoffs, 0);
}

static void on_event(void *context, json_t *event)
{
	struct caller *caller = context;

	if (!caller->handed)
		connection_event(caller->connection, json_incref(event), NULL, 0);
}

static void fail(struct caller *caller, struct instance *instance, const struct error *err)
{
	struct oneoffs *oneoffs = caller->oneoffs;
	bool never_ran = instance && instance->exit_code && instance->error;

	if (instance)
		instance->told = true;
	connection_fail(caller->connection, err, never_ran ? instance->exit_code : 1);
	caller_free(caller);
	sweep_later(oneoffs, 0);
}

static void on_done(void *context, const struct error *err, int exit_code, json_t *plan)
{
	struct caller *caller = context;
	struct instance *instance = supervisor_find(caller->oneoffs->supervisor, caller->name);
	struct error gone = ERROR_INIT;

	if (err->code) {
		fail(caller, instance, err);
		return;
	}
	if (caller->dry_run) {
		connection_done(caller->connection, NULL, NULL, 0);
		caller_free(caller);
		return;
	}
	if (!instance) {
		error_set(&gone, ENOENT, "container %s was removed", caller->name);
		fail(caller, NULL, &gone);
		return;
	}
	caller->started = true;
	if (!caller->foreground || !instance_runs(instance))
		conclude(caller, instance);
}

/* The keeper was killed, and with it went what it held of the client's. */
static void log_again(struct instance *instance, const int *fds, size_t count)
{
	struct error err = ERROR_INIT;

	if (!instance->pid || !instance->log || log_pump_has_streams(instance->log))
		return;
	oneoff_keep(instance->client, fds, count);
	if (start_stdio_keep_client(instance, &err) < 0)
		log_error("%s: its output is not logged: %s", instance->name, err.message);
	start_stdio_born(instance);
}

/* The same request once more: its client lost our predecessor, not the container. */
static bool come_back(struct caller *caller, const char *id, const int *fds, size_t count)
{
	struct instance *instance = supervisor_find(caller->oneoffs->supervisor, caller->name);

	if (!instance || !id[0] || strcmp(instance->created_by, id) != 0 ||
	    (instance->state == INSTANCE_CREATED && !instance->error))
		return false;
	caller->started = true;
	if (instance->pid)
		hand_terminal(caller, instance);
	if (caller->foreground)
		log_again(instance, fds, count);
	if (!caller->foreground || !instance_runs(instance))
		conclude(caller, instance);
	return true;
}

void oneoff_request(struct oneoffs *oneoffs, struct connection *connection, const char *id,
		    const json_t *request, const int *fds, size_t count)
{
	const char *name = json_get_string(json_object_get(request, "options"), "oneoff");
	struct executor_listener listener = {on_event, on_done, NULL};
	struct error err = ERROR_INIT;
	struct caller *caller;

	if (!name || !name[0]) {
		error_set(&err, EINVAL, "request: the container has no name");
		connection_fail(connection, &err, 1);
		return;
	}
	caller = new (struct caller);
	*caller = (struct caller){
		.next = oneoffs->callers,
		.oneoffs = oneoffs,
		.connection = connection,
		.name = alloc_string(name),
		.foreground = json_get_bool(request, "foreground", false),
		.dry_run = json_get_bool(request, "dry_run", false),
	};
	oneoffs->callers = caller;
	connection_on_closed(connection, client_left, caller);
	if (come_back(caller, id, fds, count))
		return;
	listener.context = caller;
	if (executor_converge(oneoffs->supervisor->executor, request, id, fds, count, &listener,
			      &err) < 0)
		fail(caller, NULL, &err);
}

static bool is_due(const struct oneoffs *oneoffs, const struct instance *instance,
		   int64_t *ret_usec)
{
	const struct caller *caller = caller_of(oneoffs, instance);
	int64_t left = 0;

	if (!instance->oneoff || !instance->auto_remove || instance_runs(instance) ||
	    (caller && !caller->last_word))
		return false;
	/* Made to be started later. */
	if (instance->state == INSTANCE_CREATED && !instance->error && instance->told)
		return false;
	/* A client that was not told yet may be on its way to a supervisor that is new to it. */
	if (instance->foreground && !instance->told)
		left = RETURN_USEC - (units_now_nsec() - instance->finished_nsec) / 1000;
	if (left <= 0)
		return true;
	if (left < *ret_usec)
		*ret_usec = left;
	return false;
}

static void tell_last_word(struct caller *caller)
{
	if (!caller)
		return;
	connection_done(caller->connection, TAKE_PTR(caller->last_word), NULL, 0);
	caller_free(caller);
}

static void remove_one(struct oneoffs *oneoffs, struct instance *instance)
{
	struct attachment *attachment = TAKE_PTR(instance->attachment);
	struct error err = ERROR_INIT;

	/* Our predecessor died as it had taken addresses, and not yet written down which. */
	if (!attachment && instance->network_names)
		attachment = state_attachment_unknown(oneoffs->supervisor, instance->id);
	if (instance_remove(instance, true, &err) < 0) {
		instance->attachment = attachment;
		instance->auto_remove = false;
		log_error("%s: it is not removed: %s", instance->name, err.message);
		return;
	}
	if (!attachment)
		return;
	if (attachment_release(oneoffs->supervisor->networks, &attachment, 1, &err) < 0)
		log_warning("give addresses back: %s", err.message);
	attachment_free(attachment);
}

/* Microseconds until the next one is due; -1: none. */
static int64_t sweep(struct oneoffs *oneoffs)
{
	int64_t usec = INT64_MAX;
	bool again;

	do {
		again = false;
		map_foreach(entry, &oneoffs->supervisor->instances) {
			struct instance *instance = entry->value;
			struct caller *caller;

			if (!is_due(oneoffs, instance, &usec))
				continue;
			/* The map has changed: from its beginning once more. */
			caller = caller_of(oneoffs, instance);
			remove_one(oneoffs, instance);
			tell_last_word(caller);
			again = true;
			break;
		}
	} while (again);
	return usec == INT64_MAX ? -1 : usec;
}

static int on_sweep(sd_event_source *source, uint64_t at_usec, void *data)
{
	struct oneoffs *oneoffs = data;
	int64_t usec;

	oneoffs->sweep = sd_event_source_disable_unref(oneoffs->sweep);
	usec = sweep(oneoffs);
	state_tidy_later(oneoffs->supervisor);
	if (usec >= 0)
		sweep_later(oneoffs, usec);
	supervisor_maybe_end(oneoffs->supervisor);
	return 0;
}

/* From the loop: whoever tells us still looks at the container. */
static void sweep_later(struct oneoffs *oneoffs, int64_t usec)
{
	oneoffs->sweep = sd_event_source_disable_unref(oneoffs->sweep);
	if (sd_event_add_time_relative(oneoffs->supervisor->event, &oneoffs->sweep, CLOCK_MONOTONIC,
				       (uint64_t)usec, 1, on_sweep, oneoffs) < 0)
		log_error("one-off containers are not removed: no timer");
}

static int on_none_came(sd_event_source *source, uint64_t at_usec, void *data)
{
	struct oneoffs *oneoffs = data;

	oneoffs->settle = sd_event_source_disable_unref(oneoffs->settle);
	map_foreach(entry, &oneoffs->supervisor->instances) {
		struct instance *instance = entry->value;

		if (instance->oneoff && instance->pid && !caller_of(oneoffs, instance))
			take_over(instance);
	}
	return 0;
}

void oneoffs_settle(struct oneoffs *oneoffs)
{
	bool foreground = false, ended = false;

	map_foreach(entry, &oneoffs->supervisor->instances) {
		const struct instance *instance = entry->value;

		foreground |= instance->oneoff && instance->foreground;
		ended |= instance->oneoff && instance->auto_remove && !instance_runs(instance);
	}
	if (foreground &&
	    sd_event_add_time_relative(oneoffs->supervisor->event, &oneoffs->settle,
				       CLOCK_MONOTONIC, RETURN_USEC, 0, on_none_came, oneoffs) < 0)
		log_error("no timer for clients that do not come back");
	if (ended)
		sweep_later(oneoffs, 0);
}
