// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/instance.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/process.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/supervisor/children.h"
#include "compose/supervisor/events.h"
#include "compose/supervisor/exec.h"
#include "compose/supervisor/executor.h"
#include "compose/supervisor/groups.h"
#include "compose/supervisor/handover.h"
#include "compose/supervisor/health.h"
#include "compose/supervisor/jobs.h"
#include "compose/supervisor/keeper_client.h"
#include "compose/supervisor/logs/pump.h"
#include "compose/supervisor/names.h"
#include "compose/supervisor/notify.h"
#include "compose/supervisor/observe.h"
#include "compose/supervisor/oneoff.h"
#include "compose/supervisor/ports.h"
#include "compose/supervisor/probe.h"
#include "compose/supervisor/requests.h"
#include "compose/supervisor/restart.h"
#include "compose/supervisor/schedule.h"
#include "compose/supervisor/start.h"
#include "compose/supervisor/start_stdio.h"
#include "compose/supervisor/state.h"
#include "compose/supervisor/translate/translate.h"

#define GRACE_USEC (10 * (int64_t)USEC_PER_SEC)

static void changed(struct instance *instance)
{
	server_instance_changed(instance->supervisor->server, instance);
	executor_instance_changed(instance->supervisor->executor, instance);
	notifier_look(instance->supervisor->notifier);
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

static void forget_former(struct instance *instance)
{
	for (size_t i = 0; i < instance->former_count; i++)
		model_unref(instance->supervisor, instance->former[i]);
	free(instance->former);
	instance->former = NULL;
	instance->former_count = 0;
}

static void do_start(struct instance *instance)
{
	struct error err = ERROR_INIT;

	restart_cancel(instance, false);
	if (start_begin(instance, &err) == 0)
		return;
	log_error("%s: %s", instance->name, err.message);
	instance->exit_code = 125;
	/* A restart that cannot even begin is tried again as the policy says. */
	if (instance->state == INSTANCE_BACKOFF &&
	    !restart_after_exit(instance, instance->exit_code, 0))
		instance->state = INSTANCE_EXITED;
	state_note(instance);
	changed(instance);
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
	bool asked = instance->state == INSTANCE_STOPPING || instance->by_hand;
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
	if (asked)
		events_emit(instance, "stop", NULL);
	schedule_ended(instance);
	exec_container_ended(instance);
	changed(instance);
}

static int stop_signal(const struct instance *instance)
{
	struct error err = ERROR_INIT;
	const struct image *image = NULL;
	const char *name = instance->service->stop_signal;
	int number;

	if (!name)
		image = observe_image(instance->supervisor, instance->image_id, &err);
	if (image)
		name = image->stop_signal;
	if ((!name || !name[0]) && instance->systemd)
		name = SYSTEMD_STOP_SIGNAL;
	number = name ? process_signal_from_name(name) : SIGTERM;
	return number > 0 ? number : SIGTERM;
}

static void kill_all(struct instance *instance)
{
	struct error err = ERROR_INIT;

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
	(void)process_pidfd_signal(instance->pidfd, stop_signal(instance));
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
		(void)process_pidfd_signal(instance->pidfd, stop_signal(instance));
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

/* An empty cell: the event means nothing in that state. */
static void (*const table[INSTANCE_STATES][INSTANCE_EVENTS])(struct instance *) = {
	[INSTANCE_CREATED] = {[INSTANCE_START] = do_start},
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

struct instance *instance_new(struct supervisor *supervisor, const char *id)
{
	struct instance *instance = new (struct instance);

	instance->supervisor = supervisor;
	snprintf(instance->id, sizeof(instance->id), "%s", id);
	instance->pidfd = instance->stdin_fd = instance->pty_fd = instance->notify_fd = -EBADF;
	for (size_t i = 0; i < ARRAY_SIZE(instance->client); i++)
		instance->client[i] = -EBADF;
	instance->birth = (struct birth){-EBADF, 0, 0, -EBADF, -EBADF};
	return instance;
}

void instance_free(struct instance *instance)
{
	if (!instance)
		return;
	health_free(instance->health);
	drain_stop(instance);
	hooks_cancel(instance);
	start_done(instance);
	children_forget(instance->supervisor->children, instance->child);
	sd_event_source_disable_unref(instance->stop_timer);
	restart_free(instance->restart);
	schedule_free(instance->schedule);
	unhealthy_forget(&instance->unhealthy);
	log_pump_free(instance->log);
	probe_unwatch_log(instance);
	dns_listener_free(instance->dns);
	attachment_free(instance->attachment);
	groups_forget(instance);
	cgroup_free(instance->cgroup);
	cleanup_close_fd(&instance->stdin_fd);
	cleanup_close_fd(&instance->pty_fd);
	cleanup_close_fd(&instance->pidfd);
	cleanup_close_fd(&instance->notify_fd);
	for (size_t i = 0; i < ARRAY_SIZE(instance->client); i++)
		cleanup_close_fd(&instance->client[i]);
	for (size_t i = 0; i < instance->anonymous.count; i++) {
		free(instance->anonymous.items[i].key);
		free(instance->anonymous.items[i].value);
	}
	free(instance->anonymous.items);
	for (size_t i = 0; i < instance->image_volumes.count; i++) {
		free(instance->image_volumes.items[i].key);
		free(instance->image_volumes.items[i].value);
	}
	free(instance->image_volumes.items);
	strv_free(instance->volumes);
	strv_free(instance->parents);
	strv_free(instance->network_names);
	free(instance->ports);
	free(instance->name);
	free(instance->service_name);
	free(instance->image_id);
	free(instance->error);
	free(instance->hook_error);
	free(instance->lacks);
	forget_former(instance);
	model_unref(instance->supervisor, instance->model);
	free(instance);
}

/* A volume of a random name for @target, or the one that the replaced container had there. */
static int add_anonymous(struct instance *instance, const char *target, const struct mapping *own,
			 const struct instance *replaces, struct error *err)
{
	const char *inherited = replaces ? mapping_get(&replaces->anonymous, target) : NULL;
	struct volume_options options = {.anonymous = true};
	json_t *labels = NULL;
	struct key_value *row;
	char name[65];
	int r = 0;

	if (inherited) {
		snprintf(name, sizeof(name), "%s", inherited);
	} else {
		fs_random_hex(name, 32);
		labels = json_object();
		for (size_t i = 0; own && i < own->count; i++)
			json_put_string(labels, own->items[i].key, own->items[i].value ?: "");
		json_put_string(labels, "com.docker.volume.anonymous", "");
		json_put_string(labels, "com.docker.compose.project",
				instance->supervisor->project);
		options.labels = labels;
		r = volume_create(instance->supervisor->volumes, name, &options, err);
		json_decref(labels);
	}
	if (r < 0)
		return error_wrap(err, "volume for %s", target);
	row = array_add(instance->anonymous.items, instance->anonymous.count);
	row->key = alloc_string(target);
	row->value = alloc_string(name);
	strv_append(&instance->volumes, name);
	return 0;
}

/* It is made anew once the name means another image. */
static int note_image_volume(struct instance *instance, const struct mount *mount,
			     struct error *err)
{
	const struct image *image = observe_image(instance->supervisor, mount->source, err);
	_cleanup_close_ int here =
		image ? image_hold(instance->supervisor->images, image, err) : -1;
	struct key_value *row;

	if (here < 0)
		return error_wrap(err, "volume %s: image %s", mount->target, mount->source);
	row = array_add(instance->image_volumes.items, instance->image_volumes.count);
	row->key = alloc_string(mount->target);
	row->value = alloc_string(image->id);
	return 0;
}

static int note_volume(struct instance *instance, const struct mount *mount, struct error *err)
{
	const char *name = translate_volume_name(instance, mount);

	if (!volume_exists(instance->supervisor->volumes, name))
		return error_set(err, ENOENT, "volume %s was removed meanwhile: run this again",
				 name);
	strv_append(&instance->volumes, name);
	return 0;
}

static int create_volumes(struct instance *instance, const struct image *image,
			  const struct instance *replaces, struct error *err)
{
	const struct service *service = instance->service;
	_cleanup_strv_ char **of_image = translate_image_volumes(service, image);
	int r = 0;

	for (size_t i = 0; r == 0 && i < service->volume_count; i++) {
		const struct mount *mount = &service->volumes[i];

		if (mount->type == MOUNT_IMAGE)
			r = note_image_volume(instance, mount, err);
		if (mount->type != MOUNT_VOLUME)
			continue;
		if (!mount->source)
			r = add_anonymous(instance, mount->target, &mount->volume.labels, replaces,
					  err);
		else
			r = note_volume(instance, mount, err);
	}
	strv_foreach(target, of_image)
		if (r == 0)
			r = add_anonymous(instance, target, NULL, replaces, err);
	return r;
}

static int create_folder(struct instance *instance, struct error *err)
{
	int base = instance->supervisor->containers_dir;
	char path[96];

	if (mkdirat(base, instance->id, 0710) < 0)
		return error_errno(err, "make its folder");
	snprintf(path, sizeof(path), "%s/upper", instance->id);
	if (mkdirat(base, path, 0755) < 0)
		return error_errno(err, "make its folder");
	snprintf(path, sizeof(path), "%s/work", instance->id);
	if (mkdirat(base, path, 0700) < 0)
		return error_errno(err, "make its folder");
	return 0;
}

static void note_networks(struct instance *instance)
{
	const struct service *service = instance->service;

	for (size_t i = 0; i < service->network_count; i++) {
		const struct network *network =
			project_network(instance->model->project, service->networks[i].name);

		strv_append(&instance->network_names,
			    network ? network->name : service->networks[i].name);
	}
}

/* Nothing is left of a creation that failed. */
static void uncreate(struct instance *instance, const struct instance *replaces)
{
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < instance->anonymous.count; i++)
		if (!replaces ||
		    !strv_contains(replaces->volumes, instance->anonymous.items[i].value))
			(void)volume_remove(instance->supervisor->volumes,
					    instance->anonymous.items[i].value, &err);
	(void)state_discard(instance, &err);
	instance_free(instance);
}

bool instance_id_fits(const char *id)
{
	return strspn(id, "0123456789") < 12;
}

int instance_create(struct supervisor *supervisor, struct model *model, const char *service_name,
		    const char *name, unsigned int number, const struct instance_origin *origin,
		    struct instance **ret, struct error *err)
{
	const struct instance *replaces = origin->replaces;
	const struct service *service = project_service(model->project, service_name);
	_cleanup_close_ int hold = -EBADF, hold_volumes = -EBADF;
	const struct image *image;
	struct instance *instance;
	char id[65];
	int r;

	if (!service)
		return error_set(err, ENOENT, "no such service: %s", service_name);
	image = observe_image(supervisor, service->image, err);
	if (!image)
		return -err->code;
	/* Until the record is there, which whoever removes images or volumes reads. */
	hold = image_hold(supervisor->images, image, err);
	if (hold < 0)
		return error_wrap(err, "image %s was removed meanwhile", service->image);
	hold_volumes = volume_hold(supervisor->volumes, err);
	if (hold_volumes < 0)
		return hold_volumes;
	do
		fs_random_hex(id, 32);
	while (!instance_id_fits(id));
	instance = instance_new(supervisor, id);
	instance->name = alloc_string(name);
	instance->service_name = alloc_string(service_name);
	instance->number = number;
	instance->oneoff = origin->oneoff;
	instance->use_aliases = origin->use_aliases;
	instance->foreground = origin->foreground;
	instance->auto_remove = origin->auto_remove;
	instance->standby = origin->standby;
	instance->model = model_ref(model);
	instance->service = (struct service *)service;
	instance->tty = service->tty == TRI_TRUE;
	instance->image_id = alloc_string(image->id);
	service_hash(model->project, service, instance->config_hash);
	instance->created_nsec = units_now_nsec();
	snprintf(instance->created_by, sizeof(instance->created_by), "%s", origin->request);
	note_networks(instance);
	r = create_folder(instance, err);
	if (r == 0)
		r = create_volumes(instance, image, replaces, err);
	if (r == 0)
		r = state_write(instance, err);
	if (r < 0) {
		uncreate(instance, replaces);
		return r;
	}
	map_set(&supervisor->instances, instance->id, instance);
	events_emit(instance, "create", NULL);
	*ret = instance;
	return 0;
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
	json_t *attributes;
	char number[16];
	int r;

	if (instance->pidfd < 0)
		return error_set(err, ESRCH, "container %s is not running", instance->name);
	snprintf(number, sizeof(number), "%d", signal);
	attributes = json_object();
	json_put_string(attributes, "signal", number);
	if (signal == SIGKILL) {
		/* As a stop by hand: no policy brings back what was killed on purpose. */
		instance->by_hand = true;
		state_note(instance);
		kill_all(instance);
		events_emit(instance, "kill", attributes);
		return 0;
	}
	r = process_pidfd_signal(instance->pidfd, signal);
	events_emit(instance, "kill", attributes);
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

static bool used_by_another(const struct instance *instance, const char *volume)
{
	map_foreach(entry, &instance->supervisor->instances) {
		const struct instance *other = entry->value;

		if (other != instance && strv_contains(other->volumes, volume))
			return true;
	}
	return false;
}

int instance_remove(struct instance *instance, bool volumes, struct error *err)
{
	struct supervisor *supervisor = instance->supervisor;
	int r;

	if (instance_runs(instance))
		return error_set(err, EBUSY, "container %s is running", instance->name);
	/* First the record: without it nobody believes that the container is there. */
	r = state_discard(instance, err);
	if (r < 0)
		return r;
	names_remove_files(instance);
	for (size_t i = 0; volumes && i < instance->anonymous.count; i++) {
		const char *name = instance->anonymous.items[i].value;
		struct error ignored = ERROR_INIT;

		/* One that a container of another project has as well is nobody's any more. */
		if (!used_by_another(instance, name) &&
		    volume_is_anonymous(supervisor->volumes, name) &&
		    volume_remove(supervisor->volumes, name, &ignored) < 0)
			log_warning("volume %s: %s", name, ignored.message);
	}
	events_emit(instance, "destroy", NULL);
	map_remove(&supervisor->instances, instance->id);
	server_instance_gone(supervisor->server, instance);
	instance_free(instance);
	return 0;
}

int instance_rename(struct instance *instance, const char *name, struct error *err)
{
	char *before = instance->name;
	int r;

	instance->name = alloc_string(name);
	r = state_write(instance, err);
	if (r < 0) {
		free(instance->name);
		instance->name = before;
		return r;
	}
	free(before);
	if (instance->pid)
		names_announce(instance);
	events_emit(instance, "rename", NULL);
	return 0;
}

enum container_state instance_reported_state(const struct instance *instance)
{
	static const enum container_state states[INSTANCE_STATES] = {
		[INSTANCE_CREATED] = CONTAINER_CREATED,  [INSTANCE_STARTING] = CONTAINER_CREATED,
		[INSTANCE_RUNNING] = CONTAINER_RUNNING,  [INSTANCE_PAUSED] = CONTAINER_PAUSED,
		[INSTANCE_STOPPING] = CONTAINER_RUNNING, [INSTANCE_BACKOFF] = CONTAINER_RESTARTING,
		[INSTANCE_EXITED] = CONTAINER_EXITED,
	};

	if (instance->state == INSTANCE_STARTING && instance->restarts)
		return CONTAINER_RESTARTING;
	return states[instance->state];
}

enum health_status instance_health(const struct instance *instance)
{
	return instance->pid ? health_status_of(instance->health) : HEALTH_NONE;
}
