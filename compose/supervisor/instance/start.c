// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/instance/start.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/rootless.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/supervisor/children.h"
#include "compose/supervisor/executor.h"
#include "compose/supervisor/instance/groups.h"
#include "compose/supervisor/instance/oneoff.h"
#include "compose/supervisor/instance/slices.h"
#include "compose/supervisor/instance/start_stdio.h"
#include "compose/supervisor/keeper/keeper_client.h"
#include "compose/supervisor/logs/log_fields.h"
#include "compose/supervisor/logs/pump.h"
#include "compose/supervisor/network/names.h"
#include "compose/supervisor/network/ports.h"
#include "compose/supervisor/network/sockets.h"
#include "compose/supervisor/observe.h"
#include "compose/supervisor/probes/probe.h"
#include "compose/supervisor/state.h"
#include "compose/supervisor/translate/translate.h"

static char **log_option_list(const struct mapping *options)
{
	char **list = NULL;

	for (size_t i = 0; i < options->count; i++)
		strv_take(&list, str_printf("%s=%s", options->items[i].key,
					    options->items[i].value ?: ""));
	return list;
}

int start_log_options(const struct service *service, struct log_options *ret, struct error *err)
{
	_cleanup_strv_ char **list = log_option_list(&service->logging.options);
	int r = log_options_parse(service->logging.driver, list, ret, err);

	return r < 0 ? error_wrap(err, "logging") : 0;
}

void start_attach(struct instance *instance, int fds[2])
{
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < 2; i++) {
		int fd = TAKE_FD(fds[i]);

		if (fd >= 0 && instance->log &&
		    log_pump_tee(instance->log, fd, 1u << (LOG_STDOUT + i), &err) < 0)
			log_warning("%s: %s", instance->name, err.message);
	}
}

int start_open_log(struct instance *instance, struct error *err)
{
	struct supervisor *supervisor = instance->supervisor;
	_cleanup_strv_ char **fields = NULL;
	_cleanup_close_ int dir = -EBADF;
	struct log_options options = {0};
	char path[96];
	int r;

	log_pump_free(instance->log);
	instance->log = NULL;
	r = start_log_options(instance->service, &options, err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/logs", instance->id);
	dir = fs_mkdir_open(supervisor->containers_dir, path, 0710, err);
	if (dir < 0)
		return dir;
	options.dirfd = dir;
	if (str_equal(options.driver, "journald") && log_fields_of(instance, &fields, err) < 0)
		return error_wrap(err, "logging");
	options.fields = fields;
	r = log_pump_new(supervisor->event, supervisor->journal, &options, &instance->log, err);
	if (r == 0)
		probe_watch_log(instance);
	if (r == 0)
		start_attach(instance, instance->attached_ahead);
	return r;
}

/* A birth that waits for its container to be started: see start_ahead(). */
struct start_ahead {
	struct birth birth;
	struct stdio stdio;
};

static void take_pty(struct instance *instance, int master)
{
	static const char *const kinds[] = {"pty"};
	struct error err = ERROR_INIT;
	int copy;

	(void)start_store(instance, kinds, &master, 1);
	instance->pty_fd = master;
	if (instance->foreground) {
		oneoff_terminal(instance);
		return;
	}
	copy = fd_dup(master);
	if (copy >= 0 && log_pump_add_stream(instance->log, copy, LOG_STDOUT, &err) < 0)
		log_error("%s: its terminal is not logged: %s", instance->name, err.message);
}

void start_take_dns(struct instance *instance, const int fds[2])
{
	static const char *const kinds[] = {"dns-udp", "dns-tcp"};
	struct error err = ERROR_INIT;

	(void)start_store(instance, kinds, fds, 2);
	if (names_listen(instance, fds[0], fds[1], &err) < 0)
		log_error("%s: no name server for it: %s", instance->name, err.message);
	names_announce(instance);
}

static void set_error(struct instance *instance, const char *message)
{
	free(instance->error);
	instance->error = alloc_string(message);
}

void start_done(struct instance *instance)
{
	start_ahead_drop(instance);
	instance->birth_source = sd_event_source_disable_unref(instance->birth_source);
	/* The pidfd stays with the instance. */
	instance->birth.pidfd = -EBADF;
	birth_done(&instance->birth);
	instance->birth = (struct birth){-EBADF, 0, 0, -EBADF, -EBADF};
	if (instance->attachment)
		attachment_settle(instance->attachment);
}

static void on_ready(struct instance *instance, const struct birth_report *report)
{
	if (report->pty_master >= 0)
		take_pty(instance, report->pty_master);
	if (report->network_fd_count == 2) {
		start_take_dns(instance, report->network_fds);
		return;
	}
	for (size_t i = 0; i < report->network_fd_count; i++)
		close(report->network_fds[i]);
}

void start_poll(struct instance *instance)
{
	struct error err = ERROR_INIT;

	while (instance->birth.report_fd >= 0) {
		struct birth_report report = {.pty_master = -EBADF};
		int news = container_report(&instance->birth, &report, &err);

		switch (news) {
		case BIRTH_PENDING:
			return;
		case BIRTH_READY:
			on_ready(instance, &report);
			container_report_taken(&instance->birth);
			break;
		case BIRTH_EXECUTED:
			start_done(instance);
			instance_handle(instance, INSTANCE_EXECUTED);
			return;
		default:
			start_done(instance);
			set_error(instance, err.message);
			instance->exit_code = news == BIRTH_FAILED ? report.exit_status : 125;
			instance_handle(instance, INSTANCE_FAILED);
			return;
		}
	}
}

static int on_report(sd_event_source *source, int fd, uint32_t events, void *data)
{
	start_poll(data);
	return 0;
}

/* As if the supervisor before us had come to give them to the keeper. */
static void keep_ready(struct instance *instance, const struct birth_report *report)
{
	static const char *const kinds[] = {"pty", "dns-udp", "dns-tcp"};
	int fds[] = {report->pty_master, -EBADF, -EBADF};

	for (size_t i = 0; i < report->network_fd_count && i < 2; i++)
		fds[1 + i] = report->network_fds[i];
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		char name[KEEPER_PORT_NAME_MAX];
		int old;

		if (fds[i] < 0)
			continue;
		(void)start_store(instance, kinds + i, fds + i, 1);
		snprintf(name, sizeof(name), "%s:%s", instance->id, kinds[i]);
		old = keeper_fd_unpack(
			map_set(&instance->supervisor->keeper_fds, name, keeper_fd_pack(fds[i])));
		cleanup_close_fd(&old);
	}
	container_report_taken(&instance->birth);
}

enum birth_news start_resume(struct instance *instance, int report_fd)
{
	int64_t until_usec = units_monotonic_usec() + START_PATIENCE_USEC;
	struct birth_report report;
	struct error err = ERROR_INIT;
	int news;

	instance->birth.report_fd = report_fd;
	while ((news = container_report_wait(&instance->birth, until_usec, &report, &err)) ==
	       BIRTH_READY)
		keep_ready(instance, &report);
	if (news == BIRTH_PENDING)
		return BIRTH_PENDING;
	start_done(instance);
	if (news == BIRTH_EXECUTED || news == BIRTH_ORPHANED)
		return (enum birth_news)news;
	set_error(instance, err.message);
	instance->exit_code = news == BIRTH_FAILED ? report.exit_status : 125;
	return BIRTH_FAILED;
}

int start_watch(struct instance *instance, struct error *err)
{
	int r = sd_event_add_io(instance->supervisor->event, &instance->birth_source,
				instance->birth.report_fd, EPOLLIN, on_report, instance);

	return r < 0 ? error_code(err, r, "watch the birth") : 0;
}

/* From here the record knows the process; without that it exits by itself. */
static int write_down(struct instance *instance, struct error *err)
{
	struct supervisor *supervisor = instance->supervisor;
	int r;

	instance->pidfd = instance->birth.pidfd;
	instance->pid = instance->birth.pid;
	instance->start_ticks = instance->birth.start_ticks;
	instance->state = INSTANCE_STARTING;
	instance->started_nsec = units_now_nsec();
	instance->started_usec = units_monotonic_usec();
	instance->child = children_add(supervisor->children, instance->pid, instance->start_ticks,
				       instance_exited, instance);
	r = state_write(instance, err);
	return r < 0 ? r : start_watch(instance, err);
}

/* Where its program says that it is ready; by now its namespace is there. */
static int open_notify(struct instance *instance, const struct container_spec *spec,
		       struct error *err)
{
	const struct namespace_spec *network = &spec->network;
	int netns = instance->pidfd;

	if (!instance->service->berth.probe.notify)
		return 0;
	if (network->source == NAMESPACE_JOIN)
		netns = network->fd;
	else if (network->source == NAMESPACE_HOST && !rootless())
		netns = -EBADF; /* ours */
	return probe_open_notify(instance, netns, err);
}

/* The child waits since it was cloned, or is still on its way there. */
static int release(struct instance *instance, const struct translation *translation,
		   struct stdio *stdio, struct error *err)
{
	int r;

	r = write_down(instance, err);
	if (r == 0)
		r = start_stdio_keep(instance, stdio, err);
	/* One with such a probe is not made ready ahead. */
	if (r == 0 && translation)
		r = open_notify(instance, &translation->spec, err);
	if (r == 0) {
		r = container_release(&instance->birth);
		/* Gone already? Then its report says why. */
		r = r == -EPIPE ? 0 : r;
		if (r < 0)
			error_code(err, r, "let the process go");
	}
	return r;
}

/* A start that failed before the child was let go leaves nothing behind. */
static void undo(struct instance *instance)
{
	if (instance->pid) {
		char names[KEEPER_PORT_NAME_MAX];

		snprintf(names, sizeof(names), "%s:*", instance->id);
		keeper_client_drop(instance->supervisor->keeper, names);
		/* Closing the birth makes it exit; the keeper reaps it, and nobody asks. */
		children_forget(instance->supervisor->children, instance->child);
		instance->child = NULL;
		start_done(instance);
		cleanup_close_fd(&instance->pidfd);
		instance->pidfd = -EBADF;
		instance->pid = 0;
	}
	cleanup_close_fd(&instance->stdin_fd);
	cleanup_close_fd(&instance->notify_fd);
	instance->stdin_fd = instance->notify_fd = -EBADF;
	log_pump_free(instance->log);
	instance->log = NULL;
	probe_unwatch_log(instance);
	groups_release(instance);
	ports_release(instance);
}

/* The container runs without it: whoever starts it is told, the log is in any case. */
static void note_lacks(struct instance *instance, const struct container_spec *spec)
{
	char text[512];

	free(TAKE_PTR(instance->lacks));
	if (!container_lacks(spec, text, sizeof(text)))
		return;
	instance->lacks = str_printf("container %s: %s", instance->name, text);
	log_warning("%s", instance->lacks);
}

static int prepare(struct instance *instance, struct translation *translation, struct error *err)
{
	struct supervisor *supervisor = instance->supervisor;
	const struct image *image;
	int r = 0;

	image = observe_image(supervisor, instance->image_id, err);
	if (!image)
		return -err->code;
	groups_keep(instance);
	/* They come with its names: handover.h. */
	if (!instance->standby && !instance->retired)
		r = ports_hold(instance, err);
	if (r == 0)
		r = translate(instance, image, translation, err);
	if (r == 0)
		r = sockets_give(translation, err);
	if (r == 0)
		r = start_open_log(instance, err);
	if (r == 0)
		r = cgroup_create(slices_base(instance), instance->id, &translation->resources,
				  &instance->cgroup, err);
	translation->spec.cgroup_handle = instance->cgroup;
	if (r == 0 && rootless() && translation->spec.pid.source == NAMESPACE_HOST &&
	    !cgroup_is_unified(instance->cgroup))
		r = error_set(err, ENOTSUP,
			      "pid: host: without a control group that is delegated to this user "
			      "nobody could end what the container leaves running");
	if (r == 0)
		note_lacks(instance, &translation->spec);
	return r;
}

static int begin(struct instance *instance, struct error *err)
{
	struct translation translation = {0};
	struct stdio stdio = STDIO_NONE;
	int r;

	r = prepare(instance, &translation, err);
	if (r == 0)
		r = start_stdio_make(instance, &stdio, &translation.spec, err);
	if (r == 0)
		r = container_clone(&translation.spec, true, &instance->birth, err);
	if (r == 0)
		r = release(instance, &translation, &stdio, err);
	start_stdio_done(&stdio);
	translation_done(&translation);
	return r;
}

static bool has_ended(int pidfd)
{
	struct pollfd process = {.fd = pidfd, .events = POLLIN};

	return poll(&process, 1, 0) != 0;
}

/* False: there was none, or it failed meanwhile; then it is as if it had never been. */
static bool take_ahead(struct instance *instance, struct stdio *ret)
{
	struct start_ahead *ahead = instance->ahead;

	if (ahead && has_ended(ahead->birth.pidfd))
		start_ahead_drop(instance);
	if (!instance->ahead)
		return false;
	instance->birth = ahead->birth;
	*ret = ahead->stdio;
	instance->ahead = NULL;
	free(ahead);
	return true;
}

/* @slice: an error that there is already. */
static int go_on(struct instance *instance, int slice, struct error *err)
{
	struct stdio stdio = STDIO_NONE;
	enum instance_state before = instance->state;
	int64_t started_before = instance->started_nsec;
	int r = slice;

	if (r == 0)
		r = take_ahead(instance, &stdio) ? release(instance, NULL, &stdio, err)
						 : begin(instance, err);
	if (r < 0) {
		undo(instance);
		instance->state = before;
		instance->started_nsec = started_before;
		set_error(instance, err->message);
	}
	start_stdio_done(&stdio);
	start_stdio_born(instance);
	return r;
}

int start_begin(struct instance *instance, struct error *err)
{
	int r;

	free(instance->error);
	instance->error = NULL;
	hooks_reset(instance);
	instance->oom_killed = false;
	instance->oom_kills = 0;
	instance->known_health = HEALTH_NONE;
	r = slices_enter(instance, err);
	if (r <= 0)
		return go_on(instance, r, err);
	instance->entered_from = instance->state;
	instance->state = INSTANCE_ENTERING;
	/* Other births need not wait for systemd. */
	executor_born(instance->supervisor->executor, instance);
	return 0;
}

int start_entered(struct instance *instance, struct error *err)
{
	instance->state = instance->entered_from;
	return go_on(instance, -err->code, err);
}

/*
 * Nothing that what is waited for may still change goes into it: no files, devices or namespaces
 * but its own.
 */
static bool stands_alone(const struct instance *instance)
{
	const struct service *service = instance->service;

	return !service->volume_count && !service->volumes_from && !service->secret_count &&
	       !service->config_count && !service->device_count && !service->gpu_count &&
	       !service->deploy.reservations.device_count && !service->use_api_socket &&
	       !instance->volumes && !service->berth.probe.notify && !slices_wanted(instance);
}

static bool joins_others(const struct container_spec *spec)
{
	return spec->network.source == NAMESPACE_JOIN || spec->pid.source == NAMESPACE_JOIN ||
	       spec->ipc.source == NAMESPACE_JOIN || spec->uts.source == NAMESPACE_JOIN ||
	       spec->cgroup.source == NAMESPACE_JOIN;
}

void start_ahead(struct instance *instance)
{
	struct translation translation = {0};
	struct start_ahead *ahead;
	struct error err = ERROR_INIT;
	int r;

	if (instance->ahead || instance->state != INSTANCE_CREATED || instance->started_nsec ||
	    instance->oneoff || instance->standby || instance->retired || !stands_alone(instance))
		return;
	ahead = new (struct start_ahead);
	ahead->birth = (struct birth){-EBADF, 0, 0, -EBADF, -EBADF};
	ahead->stdio = STDIO_NONE;
	r = prepare(instance, &translation, &err);
	if (r == 0 && joins_others(&translation.spec))
		r = -EBUSY;
	if (r == 0)
		r = start_stdio_make(instance, &ahead->stdio, &translation.spec, &err);
	if (r == 0)
		r = container_clone(&translation.spec, true, &ahead->birth, &err);
	translation_done(&translation);
	instance->ahead = ahead;
	/* When it is started, it is tried once more, and what fails then is told. */
	if (r < 0)
		start_ahead_drop(instance);
}

void start_ahead_drop(struct instance *instance)
{
	struct start_ahead *ahead = TAKE_PTR(instance->ahead);

	if (!ahead)
		return;
	/* The child ends by itself, without having run anything; the keeper reaps it. */
	birth_done(&ahead->birth);
	start_stdio_done(&ahead->stdio);
	free(ahead);
	undo(instance);
}
