// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/instance/instance.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/log.h"
#include "common/process.h"
#include "common/units.h"

#include "compose/supervisor/exec/exec.h"
#include "compose/supervisor/executor.h"
#include "compose/supervisor/instance/groups.h"
#include "compose/supervisor/instance/handover.h"
#include "compose/supervisor/instance/oneoff.h"
#include "compose/supervisor/instance/restart.h"
#include "compose/supervisor/instance/slices.h"
#include "compose/supervisor/instance/start.h"
#include "compose/supervisor/instance/start_stdio.h"
#include "compose/supervisor/keeper/keeper_client.h"
#include "compose/supervisor/logs/pump.h"
#include "compose/supervisor/network/names.h"
#include "compose/supervisor/network/ports.h"
#include "compose/supervisor/network/sockets.h"
#include "compose/supervisor/notify.h"
#include "compose/supervisor/observe.h"
#include "compose/supervisor/probes/health.h"
#include "compose/supervisor/probes/probe.h"
#include "compose/supervisor/requests/events.h"
#include "compose/supervisor/requests/requests.h"
#include "compose/supervisor/schedule.h"
#include "compose/supervisor/state.h"
#include "compose/supervisor/translate/translate.h"

#define GRACE_USEC (10 * (int64_t)USEC_PER_SEC)

static void changed(struct instance *instance)
{
	server_instance_changed(instance->supervisor->server, instance);
	executor_instance_changed(instance->supervisor->executor, instance);
	notifier_look(instance->supervisor->notifier);
	sockets_instance_changed(instance);
	oneoff_instance_changed(instance);
}

static void client_has_copied(struct log_pump *pump, enum log_stream stream, void *data)
{
	struct instance *instance = data;

	if (log_pump_has_streams(pump))
		return;
	instance->log = NULL;
	log_pump_free(pump);
}

/* All that it said. The client of one in the foreground may still be at its last words. */
static void close_log(struct instance *instance)
{
	if (!instance->log)
		return;
	log_pump_drain(instance->log);
	if (instance->foreground && log_pump_has_streams(instance->log)) {
		log_pump_on_ended(instance->log, client_has_copied, instance);
		return;
	}
	log_pump_finish(instance->log);
	log_pump_free(instance->log);
	instance->log = NULL;
}

/* Everything that belongs to a running process, after it ended. */
static void release_process(struct instance *instance)
{
	char names[80];

	health_stop(instance);
	drain_stop(instance);
	hooks_cancel(instance);
	start_done(instance);
	instance->stop_timer = sd_event_source_disable_unref(instance->stop_timer);
	close_log(instance);
	probe_unwatch_log(instance);
	names_withdraw(instance);
	cleanup_close_fd(&instance->stdin_fd);
	cleanup_close_fd(&instance->pty_fd);
	cleanup_close_fd(&instance->pidfd);
	cleanup_close_fd(&instance->notify_fd);
	instance->stdin_fd = instance->pty_fd = instance->pidfd = instance->notify_fd = -EBADF;
	start_stdio_end_output(instance, LOG_STDOUT);
	start_stdio_end_output(instance, LOG_STDERR);
	instance->pid = 0;
	snprintf(names, sizeof(names), "%s:*", instance->id);
	keeper_client_drop(instance->supervisor->keeper, names);
}

static void start_failed(struct instance *instance, const struct error *err)
{
	log_error("%s: %s", instance->name, err->message);
	instance->exit_code = 125;
	/* A restart that cannot even begin is tried again as the policy says. */
	if (instance->state == INSTANCE_BACKOFF &&
	    !restart_after_exit(instance, instance->exit_code, 0))
		instance->state = INSTANCE_EXITED;
	state_note(instance);
	changed(instance);
}

static void do_start(struct instance *instance)
{
	struct error err = ERROR_INIT;

	restart_cancel(instance, false);
	if (start_begin(instance, &err) < 0)
		start_failed(instance, &err);
}

void instance_entered(struct instance *instance, const struct error *failure)
{
	struct error err = *failure;

	if (instance->state != INSTANCE_ENTERING)
		return;
	if (start_entered(instance, &err) < 0)
		start_failed(instance, &err);
}

static void published(struct instance *instance)
{
	/* It may have ended, or been asked to, while the rules were on their way. */
	if (instance->state != INSTANCE_STARTING)
		return;
	instance->state = INSTANCE_RUNNING;
	events_emit(instance, "start", NULL);
	health_start(instance);
	if (!hooks_run(instance, HOOKS_POST_START, changed))
		changed(instance);
	dependents_running(instance);
}

void instance_resume_hooks(struct instance *instance)
{
	(void)hooks_run(instance, HOOKS_POST_START, changed);
}

/* It counts as running when others can reach it. */
static void do_executed(struct instance *instance)
{
	names_announce(instance);
	executor_born(instance->supervisor->executor, instance);
	ports_publish(instance, published);
}

/* The child is on its way out; its end is what finishes the failed start. */
static void do_failed(struct instance *instance)
{
	if (instance->pidfd >= 0)
		(void)process_pidfd_signal(instance->pidfd, SIGKILL);
}

static json_t *exit_attributes(const struct instance *instance)
{
	json_t *attributes = json_object();
	char code[16];

	snprintf(code, sizeof(code), "%d", instance->exit_code);
	json_put_string(attributes, "exitCode", code);
	return attributes;
}

static void do_ended(struct instance *instance)
{
	int64_t up_usec = units_monotonic_usec() - instance->started_usec;
	bool stopped = instance->state == INSTANCE_STOPPING, asked = stopped || instance->by_hand;
	bool failed = instance->error != NULL;

	release_process(instance);
	if (instance->cgroup) {
		instance->oom_killed = cgroup_oom_kills(instance->cgroup) > 0;
		groups_release(instance);
	}
	if (instance->oom_killed)
		events_emit(instance, "oom", NULL);
	if (!failed)
		events_emit(instance, "die", exit_attributes(instance));
	if (instance->oom_killed)
		log_warning("%s: the kernel killed it for lack of memory", instance->name);
	if (instance->again && !instance->by_hand) {
		instance->state = INSTANCE_BACKOFF;
		instance->restarts++;
		restart_soon(instance);
	} else if (!asked && !(failed && !instance->finished_nsec && !instance->restarts) &&
		   restart_after_exit(instance, instance->exit_code, failed ? 0 : up_usec)) {
		instance->state = INSTANCE_BACKOFF;
		instance->restarts++;
	} else {
		instance->state =
			failed && !instance->finished_nsec ? INSTANCE_CREATED : INSTANCE_EXITED;
		ports_release(instance);
	}
	instance->again = false;
	if (instance->state == INSTANCE_BACKOFF)
		dependents_expect(instance);
	if (!failed)
		instance->finished_nsec = units_now_nsec();
	state_note(instance);
	if (stopped)
		events_emit(instance, "stop", NULL);
	schedule_ended(instance);
	exec_container_ended(instance);
	instance->stop_with = 0;
	changed(instance);
}

static int stop_signal(const struct instance *instance)
{
	struct error err = ERROR_INIT;
	const struct image *image = NULL;
	const char *name = instance->service->stop_signal;
	int number;

	if (instance->stop_with)
		return instance->stop_with;
	if (!name)
		image = observe_image(instance->supervisor, instance->image_id, &err);
	if (image)
		name = image->stop_signal;
	if ((!name || !name[0]) && instance->systemd)
		name = SYSTEMD_STOP_SIGNAL;
	number = name ? process_signal_from_name(name) : SIGTERM;
	return number > 0 ? number : SIGTERM;
}

static void tell_signal(struct instance *instance, int signal)
{
	json_t *attributes = json_object();
	char number[16];

	snprintf(number, sizeof(number), "%d", signal);
	json_put_string(attributes, "signal", number);
	events_emit(instance, "kill", attributes);
}

static void send_stop_signal(struct instance *instance)
{
	int signal = stop_signal(instance);

	(void)process_pidfd_signal(instance->pidfd, signal);
	tell_signal(instance, signal);
}

static void kill_all(struct instance *instance)
{
	struct error err = ERROR_INIT;

	tell_signal(instance, SIGKILL);
	if (instance->pidfd >= 0)
		(void)process_pidfd_signal(instance->pidfd, SIGKILL);
	if (instance->cgroup && cgroup_kill(instance->cgroup, &err) < 0)
		log_debug("%s: %s", instance->name, err.message);
}

static int on_grace_over(sd_event_source *source, uint64_t usec, void *data)
{
	struct instance *instance = data;

	instance->stop_timer = sd_event_source_disable_unref(instance->stop_timer);
	instance_handle(instance, INSTANCE_GRACE_OVER);
	return 0;
}

static int64_t stop_time_left(const struct instance *instance)
{
	uint64_t at_usec = 0;

	(void)sd_event_source_get_time(instance->stop_timer, &at_usec);
	return (int64_t)at_usec - units_monotonic_usec();
}

static int give_grace(struct instance *instance, int64_t grace_usec, struct error *err)
{
	int r;

	if (grace_usec == 0) {
		kill_all(instance);
		return 0;
	}
	/* Who asks once more can shorten what is left, not lengthen it. */
	if (instance->stop_timer && stop_time_left(instance) <= grace_usec)
		return 0;
	instance->stop_timer = sd_event_source_disable_unref(instance->stop_timer);
	r = sd_event_add_time_relative(instance->supervisor->event, &instance->stop_timer,
				       CLOCK_MONOTONIC, (uint64_t)grace_usec, 1, on_grace_over,
				       instance);
	return r < 0 ? error_code(err, r, "set a timer") : 0;
}

static void do_kill(struct instance *instance)
{
	kill_all(instance);
}

/* Whatever they came to: what is to be stopped stops. */
static void pre_stop_done(struct instance *instance)
{
	struct error err = ERROR_INIT;

	if (instance->state != INSTANCE_STOPPING || instance->pidfd < 0)
		return;
	send_stop_signal(instance);
	if (give_grace(instance, instance->grace_usec, &err) < 0)
		log_error("%s: %s", instance->name, err.message);
}

/*
 * The first process of a pid namespace is deaf to what it has no handler for, and before its
 * program runs it has none: do_executed_late() comes back to it.
 */
static void signal_stop(struct instance *instance)
{
	if (instance->birth.report_fd < 0)
		send_stop_signal(instance);
}

/* Its hooks first; asked once more while they run, it goes on with them. */
static void do_stop(struct instance *instance)
{
	struct error err = ERROR_INIT;
	bool born = instance->state != INSTANCE_STARTING;

	if (instance->state == INSTANCE_PAUSED)
		(void)cgroup_freeze(instance->cgroup, false, &err);
	instance->state = INSTANCE_STOPPING;
	if (born && hooks_run(instance, HOOKS_PRE_STOP, pre_stop_done))
		return;
	signal_stop(instance);
}

/* It was asked to stop while it was being born. */
static void do_executed_late(struct instance *instance)
{
	signal_stop(instance);
}

/* It waited for its next start: that is called off. */
static void do_give_up(struct instance *instance)
{
	restart_cancel(instance, false);
	instance->state = INSTANCE_EXITED;
	ports_release(instance);
	state_note(instance);
	changed(instance);
}

void instance_call_off(struct instance *instance)
{
	slices_leave(instance);
	start_stdio_born(instance);
	instance->state = instance->entered_from;
	if (instance->state == INSTANCE_BACKOFF)
		instance->state = INSTANCE_EXITED;
	ports_release(instance);
	state_note(instance);
	changed(instance);
}

/* An empty cell: the event means nothing in that state. */
static void (*const table[INSTANCE_STATES][INSTANCE_EVENTS])(struct instance *) = {
	[INSTANCE_CREATED] = {[INSTANCE_START] = do_start},
	[INSTANCE_ENTERING] = {[INSTANCE_STOP] = instance_call_off},
	[INSTANCE_STARTING] = {[INSTANCE_EXECUTED] = do_executed,
			       [INSTANCE_FAILED] = do_failed,
			       [INSTANCE_ENDED] = do_ended,
			       [INSTANCE_STOP] = do_stop},
	[INSTANCE_RUNNING] = {[INSTANCE_ENDED] = do_ended, [INSTANCE_STOP] = do_stop},
	[INSTANCE_PAUSED] = {[INSTANCE_ENDED] = do_ended, [INSTANCE_STOP] = do_stop},
	[INSTANCE_STOPPING] = {[INSTANCE_EXECUTED] = do_executed_late,
			       [INSTANCE_FAILED] = do_failed,
			       [INSTANCE_ENDED] = do_ended,
			       [INSTANCE_STOP] = do_stop,
			       [INSTANCE_GRACE_OVER] = do_kill},
	[INSTANCE_BACKOFF] = {[INSTANCE_START] = do_start,
			      [INSTANCE_STOP] = do_give_up,
			      [INSTANCE_BACKOFF_OVER] = do_start},
	[INSTANCE_EXITED] = {[INSTANCE_START] = do_start},
};

void instance_handle(struct instance *instance, enum instance_event event)
{
	void (*action)(struct instance *) = table[instance->state][event];

	if (action)
		action(instance);
}

void instance_exited(void *data, const struct process_exit *info)
{
	struct instance *instance = data;

	instance->child = NULL;
	/* The report may lie in its socket unread: it says whether the program ever ran. */
	if (instance->birth.report_fd >= 0)
		start_poll(instance);
	if (!instance->error)
		instance->exit_code = info->exit_code;
	instance_handle(instance, INSTANCE_ENDED);
}

void instance_unborn(struct instance *instance)
{
	release_process(instance);
	groups_release(instance);
	ports_release(instance);
	instance->state = instance->finished_nsec ? INSTANCE_EXITED : INSTANCE_CREATED;
	instance->request[0] = '\0';
	/* In the foreground its client has the descriptors it needs, and asks once more. */
	instance->revive = !instance->by_hand && !instance->foreground;
	state_note(instance);
}

bool instance_runs(const struct instance *instance)
{
	return instance->state != INSTANCE_CREATED && instance->state != INSTANCE_EXITED;
}

int instance_start(struct instance *instance, struct error *err)
{
	instance->by_hand = instance->revive = false;
	instance->restarts = 0;
	instance->dependents_due = DEPENDENTS_NONE;
	unhealthy_forget(&instance->unhealthy);
	restart_cancel(instance, true);
	if (instance->state != INSTANCE_CREATED && instance->state != INSTANCE_EXITED &&
	    instance->state != INSTANCE_BACKOFF)
		return 0;
	if (instance->state == INSTANCE_BACKOFF)
		instance->state = INSTANCE_EXITED;
	return start_begin(instance, err);
}

void instance_revive(struct instance *instance)
{
	instance->revive = false;
	if (instance_runs(instance))
		return;
	instance->state = INSTANCE_BACKOFF;
	instance_handle(instance, INSTANCE_BACKOFF_OVER);
}

int64_t instance_grace_usec(const struct instance *instance, int64_t asked_usec)
{
	if (asked_usec >= 0)
		return asked_usec;
	return instance->service->stop_grace_period.set ? instance->service->stop_grace_period.value
							: GRACE_USEC;
}

/* The time counts from the signal. Hooks that hang are ended by a kill. */
static int stop_with_grace(struct instance *instance, int64_t grace_usec, struct error *err)
{
	instance->grace_usec = grace_usec;
	instance_handle(instance, INSTANCE_STOP);
	if (instance->state != INSTANCE_STOPPING || hooks_pending(instance, HOOKS_PRE_STOP))
		return 0;
	return give_grace(instance, grace_usec, err);
}

int instance_stop(struct instance *instance, int64_t grace_usec, struct error *err)
{
	if (!instance->by_hand) {
		/* Before the signal: whoever starts us again must not take it for a crash. */
		instance->by_hand = true;
		instance->revive = false;
		state_note(instance);
	}
	if (!instance_runs(instance))
		return 0;
	return stop_with_grace(instance, instance_grace_usec(instance, grace_usec), err);
}

void instance_restart(struct instance *instance)
{
	struct error err = ERROR_INIT;

	if (instance->by_hand || instance->pidfd < 0)
		return;
	/* Whoever takes over from us finishes it. */
	instance->again = true;
	state_note(instance);
	if (stop_with_grace(instance, instance_grace_usec(instance, -1), &err) < 0)
		log_error("%s: %s", instance->name, err.message);
}

int instance_kill(struct instance *instance, int signal, struct error *err)
{
	int r;

	if (instance->pidfd < 0)
		return error_set(err, ESRCH, "container %s is not running", instance->name);
	if (signal == SIGKILL) {
		/* As a stop by hand: no policy brings back what was killed on purpose. */
		instance->by_hand = true;
		state_note(instance);
		kill_all(instance);
		return 0;
	}
	r = process_pidfd_signal(instance->pidfd, signal);
	tell_signal(instance, signal);
	return r < 0 && r != -ESRCH ? error_code(err, r, "signal container %s", instance->name) : 0;
}

int instance_pause(struct instance *instance, bool paused, struct error *err)
{
	enum instance_state from = paused ? INSTANCE_RUNNING : INSTANCE_PAUSED;
	int r;

	if (instance->state != from)
		return 0;
	r = cgroup_freeze(instance->cgroup, paused, err);
	if (r < 0)
		return error_wrap(err, "container %s", instance->name);
	instance->state = paused ? INSTANCE_PAUSED : INSTANCE_RUNNING;
	state_note(instance);
	events_emit(instance, paused ? "pause" : "unpause", NULL);
	changed(instance);
	return 0;
}
