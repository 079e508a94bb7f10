// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/adopt.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/process.h"
#include "common/rootless.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/supervisor/children.h"
#include "compose/supervisor/instance/groups.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/instance/restart.h"
#include "compose/supervisor/instance/slices.h"
#include "compose/supervisor/instance/start.h"
#include "compose/supervisor/instance/update.h"
#include "compose/supervisor/keeper/keeper_client.h"
#include "compose/supervisor/logs/pump.h"
#include "compose/supervisor/network/names.h"
#include "compose/supervisor/network/networks_ready.h"
#include "compose/supervisor/network/ports.h"
#include "compose/supervisor/probes/health.h"
#include "compose/supervisor/probes/probe.h"
#include "compose/supervisor/schedule.h"
#include "compose/supervisor/state.h"
#include "compose/supervisor/translate/translate.h"

#define ENDED_UNNOTICED   255
#define EXIT_NOT_RELEASED 125
#define STAT_MAX          4096

#define NEWBORN_TRIES      400
#define NEWBORN_PAUSE_MSEC 5

/* What a process runs: 1 our own program, which a newborn does until its exec; 0 another; -1 it
 * ended. */
static int runs_our_program(pid_t pid)
{
	struct stat ours, theirs;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if (stat(path, &theirs) < 0)
		return -1;
	return stat("/proc/self/exe", &ours) == 0 && ours.st_dev == theirs.st_dev &&
	       ours.st_ino == theirs.st_ino;
}

enum unreported { RUNS, UNBORN, GONE };

/*
 * Without a report (the keeper is a new one, or did not get it any more): a newborn that was not
 * released ends by itself, within milliseconds, and must not be taken for a container that runs.
 * One that was released executes its program.
 */
static enum unreported look_at_unreported(const struct instance *instance)
{
	struct pollfd end = {.fd = instance->pidfd, .events = POLLIN};
	bool newborn = false;

	for (int tries = 0; tries < NEWBORN_TRIES; tries++) {
		int r = instance->pidfd < 0 ? -1 : runs_our_program(instance->pid);

		if (r == 0)
			return RUNS;
		if (r < 0)
			return newborn ? UNBORN : GONE;
		newborn = true;
		(void)poll(&end, 1, NEWBORN_PAUSE_MSEC);
	}
	(void)process_pidfd_signal(instance->pidfd, SIGKILL);
	return UNBORN;
}

static int kept(struct instance *instance, const char *kind)
{
	char name[80];

	snprintf(name, sizeof(name), "%s:%s", instance->id, kind);
	return supervisor_claim_fd(instance->supervisor, name);
}

/* The keeper never got its report, and hence nobody let it go; by itself it ends with 125. */
static void unreported_exited(void *data, const struct process_exit *info)
{
	struct instance *instance = data;

	if (info->exit_code != EXIT_NOT_RELEASED || info->signal) {
		instance_exited(instance, info);
		return;
	}
	instance->child = NULL;
	instance_unborn(instance);
}

static void find_process(struct instance *instance)
{
	int report = kept(instance, "report");
	enum birth_news news = BIRTH_PENDING;
	enum unreported look = RUNS;

	instance->pidfd = process_adopt(instance->pid, instance->start_ticks);
	if (report >= 0)
		news = start_resume(instance, report);
	else
		look = look_at_unreported(instance);
	if (news == BIRTH_ORPHANED || look == UNBORN) {
		instance_unborn(instance);
		return;
	}
	/* Its end finishes the failed start. */
	if (news == BIRTH_FAILED && instance->pidfd >= 0)
		(void)process_pidfd_signal(instance->pidfd, SIGKILL);
	instance->child =
		children_add(instance->supervisor->children, instance->pid, instance->start_ticks,
			     look == GONE ? unreported_exited : instance_exited, instance);
}

void adopt_find_processes(struct supervisor *supervisor)
{
	map_foreach(entry, &supervisor->instances) {
		struct instance *instance = entry->value;

		if (!instance->pid) {
			/* The supervisor died between "starting" and a process. */
			if (instance->state != INSTANCE_BACKOFF && instance_runs(instance))
				instance->state = instance->finished_nsec ? INSTANCE_EXITED
									  : INSTANCE_CREATED;
			continue;
		}
		find_process(instance);
	}
}

static pid_t parent_of(pid_t pid)
{
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;
	char path[32], *end;
	int parent = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (fs_read(AT_FDCWD, path, STAT_MAX, &text, NULL, &err) < 0)
		return 0;
	/* The program's name, in parentheses, may contain anything. */
	end = strrchr(text, ')');
	if (!end || sscanf(end + 1, " %*c %d", &parent) != 1)
		return 0;
	return parent;
}

/* No keeper has it any more: the container's own end of the pipe leads to it as well. */
static int reopen(struct instance *instance, int number)
{
	static const char *const names[] = {NULL, "stdout", "stderr"};
	char path[48], key[80];
	const char *list[] = {key};
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)instance->pid, number);
	if (stat(path, &st) < 0 || !S_ISFIFO(st.st_mode))
		return -EBADF;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -EBADF;
	snprintf(key, sizeof(key), "%s:%s", instance->id, names[number]);
	(void)keeper_client_store(instance->supervisor->keeper, list, &fd, 1);
	return fd;
}

static void resume_stream(struct instance *instance, enum log_stream stream)
{
	struct error err = ERROR_INIT;
	int fd = kept(instance, stream == LOG_STDOUT ? "stdout" : "stderr");

	/* What a client has in the foreground is not ours to read. */
	if (fd < 0 && !instance->foreground)
		fd = reopen(instance, (int)stream);
	if (fd < 0 || !instance->log) {
		cleanup_close_fd(&fd);
		return;
	}
	if (log_pump_add_stream(instance->log, fd, stream, &err) < 0)
		log_error("%s: its output is not logged: %s", instance->name, err.message);
}

static void resume_log(struct instance *instance)
{
	struct error err = ERROR_INIT;
	int copy;

	if (start_open_log(instance, &err) < 0)
		log_error("%s: its output is not logged: %s", instance->name, err.message);
	instance->stdin_fd = kept(instance, "stdin");
	instance->notify_fd = kept(instance, "notify");
	if (!instance->tty || instance->foreground) {
		resume_stream(instance, LOG_STDOUT);
		resume_stream(instance, LOG_STDERR);
		instance->client[RUN_REST_STDOUT] = kept(instance, "rest-stdout");
		instance->client[RUN_REST_STDERR] = kept(instance, "rest-stderr");
	}
	if (!instance->tty)
		return;
	instance->pty_fd = kept(instance, "pty");
	/* Its client has it, or is about to say so. */
	if (instance->foreground)
		return;
	copy = instance->pty_fd >= 0 ? fd_dup(instance->pty_fd) : -EBADF;
	if (copy >= 0 && instance->log &&
	    log_pump_add_stream(instance->log, copy, LOG_STDOUT, &err) < 0)
		log_error("%s: its terminal is not logged: %s", instance->name, err.message);
}

/* Its sockets ended with the keeper that had them. One that is still being born makes its own. */
static bool new_name_server(struct instance *instance)
{
	struct error err = ERROR_INIT;
	int fds[2], r;

	if (instance->birth.report_fd >= 0 || instance->error || instance->pidfd < 0)
		return false;
	r = attachment_dns_again(instance->attachment, instance->pidfd, fds, &err);
	if (r < 0)
		log_error("%s: no name server for it: %s", instance->name, err.message);
	if (r > 0)
		start_take_dns(instance, fds);
	return r > 0;
}

/* Theirs may have ended with everybody who had it. */
static void renew_links(struct instance *instance)
{
	struct error err = ERROR_INIT;
	int r;

	if (!rootless() || instance->birth.report_fd >= 0 || instance->error || instance->pidfd < 0)
		return;
	r = attachment_reconnect(instance->supervisor->networks, instance->attachment,
				 instance->pidfd, &err);
	if (r < 0)
		log_error("%s: its networks are gone, and cannot be made anew: %s", instance->name,
			  err.message);
	else if (r > 0)
		state_note(instance);
}

static void new_notify(struct instance *instance)
{
	struct error err = ERROR_INIT;

	if (instance->service->berth.probe.notify && instance->notify_fd < 0 &&
	    probe_open_notify(instance, instance->pidfd, &err) < 0)
		log_error("%s: its notifications are not heard: %s", instance->name, err.message);
}

static void resume_names(struct instance *instance)
{
	int udp = kept(instance, "dns-udp"), tcp = kept(instance, "dns-tcp");
	const struct endpoint *endpoints;
	struct error err = ERROR_INIT;
	size_t count = 0;

	if (!instance->attachment)
		return;
	endpoints = attachment_endpoints(instance->attachment, &count);
	for (size_t i = 0; i < count; i++)
		if (!networks_ready(instance->supervisor, endpoints[i].network, &err))
			log_warning("%s: %s", instance->name, err.message);
	error_clear(&err);
	renew_links(instance);
	if (udp < 0 || tcp < 0) {
		cleanup_close_fd(&udp);
		cleanup_close_fd(&tcp);
		if (new_name_server(instance))
			return;
	} else if (names_listen(instance, udp, tcp, &err) < 0) {
		log_error("%s: no name server for it: %s", instance->name, err.message);
	}
	names_announce(instance);
}

static void restore_limits(struct instance *instance)
{
	struct translation translation = {.instance = instance, .service = instance->service};
	struct error err = ERROR_INIT;

	if (translate_resources(&translation, &err) < 0 ||
	    cgroup_restore(instance->cgroup, &translation.resources, &err) < 0)
		log_warning("%s: %s", instance->name, err.message);
	translation_done(&translation);
}

static void resume_cgroup(struct instance *instance)
{
	struct error err = ERROR_INIT;

	if (cgroup_open(slices_base(instance), instance->id, instance->pid, &instance->cgroup,
			&err) < 0 &&
	    (instance->pid || err.code != ENOENT))
		log_warning("%s: %s", instance->name, err.message);
	if (instance->cgroup)
		restore_limits(instance);
}

/* When it was started, on the clock that restarts and probes count by. */
static void resume_clock(struct instance *instance)
{
	int64_t age_usec = (units_now_nsec() - instance->started_nsec) / 1000;

	instance->started_usec = units_monotonic_usec() - (age_usec > 0 ? age_usec : 0);
}

static void resume_running(struct instance *instance)
{
	struct error err = ERROR_INIT;
	bool stopping =
		instance->by_hand || (instance->state == INSTANCE_STOPPING && !instance->again);

	if (parent_of(instance->pid) != getppid() &&
	    children_watch(instance->supervisor->children, instance->child, instance->pidfd, &err) <
		    0)
		log_error("%s: %s", instance->name, err.message);
	resume_names(instance);
	new_notify(instance);
	update_resume(instance);
	if (instance->birth.report_fd >= 0) {
		instance->state = INSTANCE_STARTING;
		if (start_watch(instance, &err) < 0)
			log_error("%s: %s", instance->name, err.message);
	} else if (!instance->error) {
		ports_resume(instance);
		/* Whether its rules went before the supervisor died is not known. */
		if (instance->retired)
			ports_forget(instance->supervisor->ports, instance->id);
		if (instance->state != INSTANCE_PAUSED)
			instance->state = INSTANCE_RUNNING;
		health_resume(instance);
	}
	/* The stop was asked for, and nobody waits for its grace any more: it is given again. */
	if (stopping && instance_stop(instance, -1, &err) < 0)
		log_error("%s: %s", instance->name, err.message);
	if (stopping)
		return;
	instance_resume_hooks(instance);
	if (instance->again)
		instance_restart(instance);
	if (instance->state == INSTANCE_RUNNING)
		dependents_running(instance);
}

static void resume_dead(struct instance *instance)
{
	struct process_exit info = {
		.pid = instance->pid,
		.start_ticks = instance->start_ticks,
		.exit_code = ENDED_UNNOTICED,
		.time_nsec = units_now_nsec(),
	};

	log_warning("%s: it ended while nobody watched; its exit code is not known",
		    instance->name);
	(void)children_exited(instance->supervisor->children, &info);
	/* Not by itself, but after what it needs. */
	if (instance->state != INSTANCE_BACKOFF)
		return;
	restart_cancel(instance, false);
	instance->state = INSTANCE_EXITED;
	instance->revive = true;
	state_note(instance);
}

void adopt_resume(struct supervisor *supervisor)
{
	groups_sweep_unknown(supervisor);
	map_foreach(entry, &supervisor->instances) {
		struct instance *instance = entry->value;

		if (instance->state == INSTANCE_BACKOFF && !instance->pid)
			restart_resume(instance);
		/* It stopped, but whether its rules went before the supervisor died? */
		if (!instance->pid && instance->service->port_count &&
		    instance->state != INSTANCE_BACKOFF)
			ports_forget(supervisor->ports, instance->id);
		if (!instance->pid) {
			/* Its end was told, or lost, before its group could be removed. */
			groups_sweep(supervisor, slices_base(instance), instance->id);
			continue;
		}
		/* Of one that has ended too: its last words may still be in the pipes. */
		resume_clock(instance);
		resume_cgroup(instance);
		resume_log(instance);
		if (instance->state == INSTANCE_CREATED || instance->state == INSTANCE_EXITED)
			instance->state = INSTANCE_RUNNING;
		if (instance->pidfd >= 0)
			resume_running(instance);
	}
	schedule_adopt(supervisor);
}

void adopt_give_up_lost(struct supervisor *supervisor)
{
	map_foreach(entry, &supervisor->instances) {
		struct instance *instance = entry->value;

		if (instance->pid && instance->pidfd < 0)
			resume_dead(instance);
	}
}
