// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/event.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/process.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/control/requests.h"
#include "compose/supervisor/adopt.h"
#include "compose/supervisor/children.h"
#include "compose/supervisor/exec/exec.h"
#include "compose/supervisor/executor.h"
#include "compose/supervisor/instance/groups.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/instance/oneoff.h"
#include "compose/supervisor/jobs.h"
#include "compose/supervisor/keeper/keeper_client.h"
#include "compose/supervisor/logs/pump.h"
#include "compose/supervisor/main.h"
#include "compose/supervisor/network/firewall_watch.h"
#include "compose/supervisor/network/names.h"
#include "compose/supervisor/network/ports.h"
#include "compose/supervisor/network/sockets.h"
#include "compose/supervisor/news.h"
#include "compose/supervisor/notify.h"
#include "compose/supervisor/requests/events.h"
#include "compose/supervisor/requests/requests.h"
#include "compose/supervisor/state.h"
#include "compose/supervisor/translate/translate.h"

/* Whoever started us gets this long to ask for something; who comes later starts another one. */
#define FIRST_CLIENT_USEC (2 * USEC_PER_SEC)

/* Guests who do not read what is still to be told are not waited for any longer. */
#define GUESTS_USEC (2 * USEC_PER_SEC)

/* The lock file last: as long as it is there, a new keeper waits for us. */
static void remove_runtime_files(struct supervisor *supervisor)
{
	static const char *const names[] = {"control.sock", "containers",     "execs",
					    "log.journal",  "supervisor.log", "control.new",
					    KEEPER_LOCK};
	_cleanup_free_ char *parent = str_printf("%s/projects", paths_runtime());
	_cleanup_close_ int starting = -EBADF;
	struct error err = ERROR_INIT;

	/* Who holds that is about to start the next one, and nobody else may. */
	starting = openat(supervisor->runtime_dir, START_LOCK, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (starting >= 0 && flock(starting, LOCK_EX | LOCK_NB) == 0)
		(void)unlinkat(supervisor->runtime_dir, START_LOCK, 0);
	array_foreach(name, names)
		if (fs_remove_tree(supervisor->runtime_dir, *name, &err) < 0)
			log_debug("%s", err.message);
	(void)rmdir(supervisor->runtime_path);
	(void)rmdir(parent);
}

static void leave(struct supervisor *supervisor)
{
	supervisor->ending = true;
	if (supervisor->removed && !supervisor->instances.count)
		state_remove(supervisor);
	groups_leave(supervisor);
	translate_release_default_bridge(supervisor);
	remove_runtime_files(supervisor);
	executor_part(supervisor->executor);
	keeper_client_end(supervisor->keeper);
	(void)sd_event_exit(supervisor->event, 0);
}

static bool anything_runs(const struct supervisor *supervisor)
{
	map_foreach(entry, &supervisor->instances)
		if (instance_runs(entry->value))
			return true;
	return false;
}

static bool may_leave(const struct supervisor *supervisor)
{
	if (!supervisor->met || supervisor->starter ||
	    !server_idle(supervisor->server, supervisor->shutdown) ||
	    !executor_idle(supervisor->executor))
		return false;
	return !supervisor->instances.count || (supervisor->shutdown && !anything_runs(supervisor));
}

static int on_patience_over(sd_event_source *source, uint64_t usec, void *data)
{
	struct supervisor *supervisor = data;

	event_source_drop(&supervisor->patience);
	if (may_leave(supervisor))
		server_drop_guests(supervisor->server, supervisor->shutdown);
	supervisor_maybe_end(supervisor);
	return 0;
}

static bool guests_know_all(struct supervisor *supervisor)
{
	if (server_guests_served(supervisor->server, supervisor->shutdown))
		return true;
	return !supervisor->patience &&
	       sd_event_add_time_relative(supervisor->event, &supervisor->patience, CLOCK_MONOTONIC,
					  GUESTS_USEC, 0, on_patience_over, supervisor) < 0;
}

void supervisor_maybe_end(struct supervisor *supervisor)
{
	if (supervisor->ending || !supervisor->server || !jobs_idle(supervisor->jobs))
		return;
	if (!may_leave(supervisor)) {
		executor_part(supervisor->executor);
		return;
	}
	if (!guests_know_all(supervisor))
		return;
	if (!supervisor->instances.count &&
	    (!supervisor->current || str_starts_with(supervisor->project, SINGLE_PREFIX)))
		supervisor->removed = true;
	leave(supervisor);
}

static int on_first_client_late(sd_event_source *source, uint64_t usec, void *data)
{
	struct supervisor *supervisor = data;

	sd_event_source_disable_unref(source);
	supervisor->met = true;
	supervisor_maybe_end(supervisor);
	return 0;
}

static int on_starter_ended(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct supervisor *supervisor = data;

	event_source_drop(&supervisor->starter);
	close(fd);
	supervisor_maybe_end(supervisor);
	return 0;
}

/* Others may come and go before it does, when there is nothing here yet. */
static void await_starter(struct supervisor *supervisor)
{
	const char *pid = getenv(KEEPER_STARTER);
	int fd = pid ? process_pidfd_open(atoi(pid)) : -ESRCH;

	(void)unsetenv(KEEPER_STARTER);
	if (fd >= 0 && sd_event_add_io(supervisor->event, &supervisor->starter, fd, EPOLLIN,
				       on_starter_ended, supervisor) < 0)
		close(fd);
}

/* Until everything is found again, exits are only noted. */
struct early_exits {
	struct supervisor *supervisor;
	struct process_exit *items;
	size_t count;
	bool early;
};

static void on_exit_told(void *context, const struct process_exit *info)
{
	struct early_exits *exits = context;

	if (exits->early)
		*array_add(exits->items, exits->count) = *info;
	else
		(void)children_exited(exits->supervisor->children, info);
}

static void on_keeper_gone(void *context)
{
	struct early_exits *exits = context;

	log_error("the keeper is gone; the next command takes over what runs");
	(void)sd_event_exit(exits->supervisor->event, 1);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct supervisor *supervisor = data;

	log_info("told to end: stopping all containers");
	supervisor->shutdown = true;
	executor_stop_all(supervisor->executor);
	return 0;
}

static bool is_reachable(const struct supervisor *supervisor)
{
	_cleanup_free_ char *socket = paths_control_socket(supervisor->project);
	struct stat ours, there;

	return access(socket, F_OK) == 0 && fstat(supervisor->runtime_dir, &ours) == 0 &&
	       stat(supervisor->runtime_path, &there) == 0 && ours.st_ino == there.st_ino &&
	       ours.st_dev == there.st_dev;
}

/*
 * A client does not find us: our runtime folder was removed, or the file system that it was on.
 * Whoever starts in our place makes it anew; what only its files tell goes there before.
 */
static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct supervisor *supervisor = data;

	if (supervisor->ending || is_reachable(supervisor))
		return 0;
	log_warning("%s was removed: making it anew", supervisor->runtime_path);
	exec_sessions_move(supervisor->execs);
	_exit(0);
}

static int open_stores(struct supervisor *supervisor, struct error *err)
{
	if (image_store_open(paths_root(), &supervisor->images, err) < 0 ||
	    volume_store_open(paths_root(), &supervisor->volumes, err) < 0 ||
	    network_store_open(paths_root(), &supervisor->networks, err) < 0)
		return -err->code;
	return log_journal_open(supervisor->runtime_dir, &supervisor->journal, err);
}

static void drop_unclaimed(struct supervisor *supervisor)
{
	map_foreach(entry, &supervisor->keeper_fds) {
		close(keeper_fd_unpack(entry->value));
		keeper_client_drop(supervisor->keeper, entry->key);
	}
	map_done(&supervisor->keeper_fds, NULL);
}

/* Finds again what there was, in an order in which nothing that happened meanwhile is lost. */
static int recover(struct supervisor *supervisor, struct early_exits *exits, struct error *err)
{
	int r = keeper_client_new(KEEPER_FD, on_exit_told, exits, &supervisor->keeper, err);

	/*
	 * A process without a pidfd had been reaped before the keeper is asked, so that the
	 * keeper's answer has its exit: hence first the descriptors (for ports), then processes,
	 * then whatever the keeper says once more.
	 */
	if (r == 0)
		r = keeper_client_list(supervisor->keeper, &supervisor->keeper_fds, err);
	if (r == 0)
		r = state_load(supervisor, err);
	if (r < 0)
		return r;
	exec_sessions_load(supervisor->execs);
	adopt_find_processes(supervisor);
	r = keeper_client_list(supervisor->keeper, NULL, err);
	if (r < 0)
		return r;
	state_finish_removals(supervisor);
	adopt_resume(supervisor);
	exits->early = false;
	for (size_t i = 0; i < exits->count; i++)
		(void)children_exited(supervisor->children, &exits->items[i]);
	free(exits->items);
	exits->items = NULL;
	adopt_give_up_lost(supervisor);
	exec_sessions_settle(supervisor->execs);
	oneoffs_settle(supervisor->oneoffs);
	ports_settle(supervisor->ports);
	sockets_adopt(supervisor->sockets);
	names_settle(supervisor);
	return 0;
}

static int start(struct supervisor *supervisor, struct early_exits *exits, struct error *err)
{
	int r = event_load(err);

	if (r < 0)
		return r;
	r = sd_event_new(&supervisor->event);
	if (r < 0)
		return error_code(err, r, "make an event loop");
	r = state_open(supervisor, err);
	if (r == 0)
		r = open_stores(supervisor, err);
	if (r < 0)
		return r;
	supervisor->cgroup_base = paths_cgroup_base(supervisor->project);
	supervisor->children = children_new(supervisor->event);
	supervisor->jobs = jobs_new(supervisor->event, supervisor->title);
	supervisor->events = events_new();
	news_begin(supervisor);
	supervisor->ports = ports_new(supervisor);
	supervisor->sockets = sockets_new(supervisor);
	supervisor->executor = executor_new(supervisor);
	supervisor->execs = exec_sessions_new(supervisor);
	supervisor->oneoffs = oneoffs_new(supervisor);
	r = recover(supervisor, exits, err);
	if (r == 0)
		r = server_new(supervisor, &supervisor->server, err);
	/* A client that started us waits for the end of the pipe that our stdin is. */
	if (r == 0)
		r = fd_null(STDIN_FILENO) < 0 ? error_errno(err, "open /dev/null") : 0;
	if (r == 0)
		r = keeper_client_watch(supervisor->keeper, supervisor->event, on_keeper_gone, err);
	if (r < 0)
		return r;
	drop_unclaimed(supervisor);
	firewall_watch_start(supervisor);
	r = notifier_new(supervisor, &supervisor->notifier, err);
	if (r < 0)
		return r;
	if (sd_event_add_signal(supervisor->event, NULL, SIGTERM, on_signal, supervisor) < 0 ||
	    sd_event_add_signal(supervisor->event, NULL, SIGHUP, on_hangup, supervisor) < 0 ||
	    sd_event_add_time_relative(supervisor->event, NULL, CLOCK_MONOTONIC, FIRST_CLIENT_USEC,
				       0, on_first_client_late, supervisor) < 0)
		return error_set(err, ENOMEM, "arm the event loop");
	await_starter(supervisor);
	executor_revive(supervisor->executor);
	return 0;
}

static void raise_file_limit(struct supervisor *supervisor)
{
	struct rlimit all;

	if (getrlimit(RLIMIT_NOFILE, &supervisor->files) < 0)
		return;
	all = supervisor->files;
	all.rlim_cur = all.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &all);
}

int supervisor_main(int argc, char **argv)
{
	/* Static: what is reached from here at the end is no leak. */
	static struct supervisor supervisor = {.state_dir = -EBADF, .runtime_dir = -EBADF};
	static struct early_exits exits = {.supervisor = &supervisor, .early = true};
	struct error err = ERROR_INIT;
	sigset_t blocked;
	int r;

	if (argc < 2)
		return 1;
	supervisor.project = argv[argc - 1];
	supervisor.title = argc > 2 ? argv[argc - 2] : NULL;
	log_set_name(supervisor.project);
	log_set_field("BERTH_PROJECT", supervisor.project);
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGHUP);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	raise_file_limit(&supervisor);
	r = start(&supervisor, &exits, &err);
	if (r < 0) {
		log_error("project %s: %s", supervisor.project, err.message);
		return 1;
	}
	r = sd_event_loop(supervisor.event);
	/* Everything else is the kernel's to take back. */
	return r < 0 ? 1 : r;
}
