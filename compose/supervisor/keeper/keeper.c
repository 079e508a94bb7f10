// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/process.h"
#include "common/rootless.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/control/message_ids.h"
#include "compose/control/requests.h"
#include "compose/supervisor/keeper/keeper_link.h"
#include "compose/supervisor/keeper/keeper_protocol.h"
#include "compose/supervisor/keeper/keeper_watchdog.h"
#include "compose/supervisor/main.h"

/*
 * The keeper does as little as can be, since nobody watches it: it never blocks but in poll(), and
 * it understands nothing of containers. What it holds outlives any supervisor.
 */
#define BACKOFF_FIRST_MSEC 100
#define BACKOFF_LAST_MSEC  5000
#define STEADY_USEC        (10 * USEC_PER_SEC) /* up so long: the next death is a first one again */
#define LOCK_PATIENCE_SEC  5

struct keeper {
	const char *project;
	struct keeper_link link;
	int signals;
	int lock, state_lock; /* KEEPER_LOCK */
	struct rlimit files;  /* as we were started: for the supervisor and the containers */
	char *program;

	pid_t supervisor;
	unsigned int deaths; /* in a row */
	int64_t started_usec, start_at_usec;
	bool ending;

	pid_t starter; /* of a unit, see KEEPER_STARTER; 0: none, or it has ended */
	bool failed;   /* it, or what it was to bring up */
	bool stopped;  /* told to end: that it was not through then is no failure */
	size_t given;  /* sockets of systemd's in the store */
	struct keeper_watchdog watchdog;
};

static void receive(struct keeper *keeper)
{
	keeper_link_receive(&keeper->link);
	if (keeper->link.alive)
		keeper_watchdog_heard(&keeper->watchdog);
	keeper->ending |= keeper->link.leave;
	keeper->link.alive = keeper->link.leave = false;
}

static void __attribute__((noreturn)) supervisor_exec(struct keeper *keeper)
{
	char *const argv[] = {"berth", SUPERVISOR_COMMAND, (char *)keeper->project, NULL};
	char starter[16];
	sigset_t hangup;

	/* That one is for later: it would be the end of one who has just begun. */
	sigemptyset(&hangup);
	sigaddset(&hangup, SIGHUP);
	/* A supervisor without its keeper could not learn how its containers end. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigprocmask(SIG_SETMASK, &hangup, NULL);
	signal(SIGINT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	setrlimit(RLIMIT_NOFILE, &keeper->files);
	if (keeper->starter) {
		snprintf(starter, sizeof(starter), "%d", keeper->starter);
		(void)setenv(KEEPER_STARTER, starter, 1);
	}
	/*
	 * The supervisor holds the lock as well, without knowing: should the keeper be killed, the
	 * next one waits until the ports, pipes and groups that this one has are let go of.
	 */
	if (fcntl(keeper->lock, F_DUPFD, KEEPER_FD + 1) < 0 ||
	    (keeper->state_lock >= 0 && fcntl(keeper->state_lock, F_DUPFD, KEEPER_FD + 1) < 0) ||
	    dup2(keeper->link.theirs, KEEPER_FD) < 0)
		_exit(125);
	/* The file at our path may be a newer version; ours runs when that keeps failing. */
	if (keeper->deaths < 3)
		execv(keeper->program, argv);
	execv("/proc/self/exe", argv);
	log_error("start the supervisor of project %s: %s", keeper->project, strerror(errno));
	_exit(125);
}

/* Whether that is the file which has our lock. */
static bool is_at(int dir, int lock)
{
	struct stat ours, there;

	return fstat(lock, &ours) == 0 && fstatat(dir, KEEPER_LOCK, &there, 0) == 0 &&
	       ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

/* A log that was removed is nobody's to read. */
static void renew_log(int dir)
{
	_cleanup_close_ int log = -EBADF;
	struct stat st;

	if (fstat(STDERR_FILENO, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink > 0)
		return;
	log = openat(dir, "supervisor.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (log >= 0)
		(void)(dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0);
}

/* Somebody may have removed the runtime folder: the supervisor makes its files in it anew. */
static void renew_lock(struct keeper *keeper)
{
	_cleanup_free_ char *path = paths_project_runtime(keeper->project);
	_cleanup_close_ int dir = -EBADF, lock = -EBADF;
	struct error err = ERROR_INIT;

	dir = fs_mkdir_path(path, 0700, &err);
	if (dir >= 0 && is_at(dir, keeper->lock))
		return;
	if (dir >= 0)
		lock = openat(dir, KEEPER_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0) {
		log_error("project %s: %s is gone and cannot be made anew: %s", keeper->project,
			  path, err.code ? err.message : strerror(errno));
		return;
	}
	close(keeper->lock);
	keeper->lock = TAKE_FD(lock);
	renew_log(dir);
}

static void supervisor_start(struct keeper *keeper)
{
	pid_t pid;

	receive(keeper);
	renew_lock(keeper);
	keeper_link_renew(&keeper->link);
	keeper->start_at_usec = 0;
	keeper->started_usec = units_monotonic_usec();
	pid = fork();
	if (pid == 0)
		supervisor_exec(keeper);
	if (pid < 0) {
		log_error("start the supervisor: %s; trying again", strerror(errno));
		keeper->start_at_usec = keeper->started_usec + USEC_PER_SEC;
		return;
	}
	keeper->supervisor = pid;
	keeper_watchdog_changed(&keeper->watchdog);
	/* Only the supervisor tells the client that started us when to connect. */
	(void)fd_null(STDIN_FILENO);
}

/*
 * It gave up by itself before it had anything that we would keep for it: a state folder that
 * cannot be written, say. Its last words are in the log for whoever asked; trying again on our own
 * would change nothing.
 */
static bool in_vain(const struct keeper *keeper, const siginfo_t *info)
{
	return info->si_code == CLD_EXITED && info->si_status &&
	       keeper->link.store.count == keeper->given && !keeper->link.exit_count;
}

static void supervisor_ended(struct keeper *keeper, const siginfo_t *info)
{
	static const struct log_field ended = {"MESSAGE_ID", MESSAGE_SUPERVISOR_ENDED};
	int64_t now = units_monotonic_usec(), delay_msec = 0;

	keeper->supervisor = 0;
	receive(keeper);
	keeper_watchdog_changed(&keeper->watchdog);
	if (in_vain(keeper, info))
		keeper->ending = keeper->failed = true;
	if (keeper->ending)
		return;
	if (now - keeper->started_usec >= (int64_t)STEADY_USEC)
		keeper->deaths = 0;
	/* The first death is a kill or an upgrade, the next ones a loop. */
	if (keeper->deaths++ > 0) {
		delay_msec = BACKOFF_FIRST_MSEC;
		for (unsigned int i = 2; i < keeper->deaths && delay_msec < BACKOFF_LAST_MSEC; i++)
			delay_msec *= 2;
	}
	log_entry(LOG_LEVEL_WARNING, &ended, 1,
		  "the supervisor of project %s ended (%s %d), starting it again in %lld ms",
		  keeper->project, info->si_code == CLD_EXITED ? "exit code" : "signal",
		  info->si_status, (long long)delay_msec);
	keeper->start_at_usec = now + delay_msec * (int64_t)USEC_PER_MSEC;
}

/* What it began is stopped; the supervisor may be about that already. */
static void starter_ended(struct keeper *keeper, const siginfo_t *info)
{
	keeper->starter = 0;
	if (keeper->stopped || (info->si_code == CLD_EXITED && info->si_status == 0))
		return;
	keeper->failed = true;
	if (keeper->supervisor)
		kill(keeper->supervisor, SIGTERM);
}

/* Returns true when there is no child left. */
static bool reap_all(struct keeper *keeper)
{
	for (;;) {
		siginfo_t info = {0};
		struct rusage usage = {0};
		uint64_t start_ticks = 0;

		/* Looked at before it is reaped: only a zombie still tells its start time. */
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
			return errno == ECHILD;
		if (!info.si_pid)
			return false;
		(void)process_start_time(info.si_pid, &start_ticks);
		if (wait4(info.si_pid, NULL, WNOHANG, &usage) != info.si_pid)
			continue;
		if (info.si_pid == keeper->supervisor)
			supervisor_ended(keeper, &info);
		else if (info.si_pid == keeper->starter)
			starter_ended(keeper, &info);
		else
			keeper_link_note_exit(&keeper->link, &info, start_ticks, &usage);
	}
}

/* Returns true when there is no child left. */
static bool handle_signals(struct keeper *keeper)
{
	struct signalfd_siginfo info;
	bool childless = false;

	while (read(keeper->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGTERM)
			keeper->stopped = true;
		if (info.ssi_signo == SIGCHLD)
			childless = reap_all(keeper);
		else if (keeper->supervisor)
			kill(keeper->supervisor, (int)info.ssi_signo);
		/* Somebody waits for one that could not live without what is there now, perhaps. */
		else if (info.ssi_signo == SIGHUP && keeper->start_at_usec)
			keeper->start_at_usec = units_monotonic_usec();
	}
	return childless;
}

static void check_watchdog(struct keeper *keeper)
{
	static const struct log_field hangs = {"MESSAGE_ID", MESSAGE_SUPERVISOR_HANGS};

	if (!keeper_watchdog_expired(&keeper->watchdog) || !keeper->supervisor)
		return;
	log_entry(LOG_LEVEL_ERROR, &hangs, 1,
		  "the supervisor of project %s does not answer any more: killing it",
		  keeper->project);
	kill(keeper->supervisor, SIGKILL);
	/* Its end follows. */
	keeper_watchdog_changed(&keeper->watchdog);
}

static void run(struct keeper *keeper)
{
	bool childless = false;

	for (;;) {
		struct pollfd fds[2] = {{keeper->link.ours, POLLIN, 0},
					{keeper->signals, POLLIN, 0}};
		int timeout = -1;

		if (!keeper->supervisor && keeper->ending && childless)
			return;
		/* Told to end, yet with containers left: somebody has to look after them. */
		if (!keeper->supervisor && !keeper->start_at_usec && !childless)
			keeper->start_at_usec = units_monotonic_usec();
		if (!keeper->supervisor) {
			int64_t wait = keeper->start_at_usec - units_monotonic_usec();

			if (wait <= 0) {
				keeper->ending = false;
				supervisor_start(keeper);
				continue;
			}
			timeout = (int)(wait / 1000) + 1;
		}
		if (keeper->supervisor && keeper_link_send(&keeper->link))
			fds[0].events |= POLLOUT;
		timeout = keeper_watchdog_timeout(&keeper->watchdog, timeout);
		if (poll(fds, 2, timeout) < 0)
			continue;
		if (fds[0].revents & POLLIN)
			receive(keeper);
		if (fds[1].revents & POLLIN)
			childless = handle_signals(keeper);
		check_watchdog(keeper);
	}
}

static void on_alarm(int signal_number)
{
	_exit(0);
}

/* A unit's main process is not to end as if nothing had been: who has the project is told. */
static void on_alarm_in_unit(int signal_number)
{
	static const char text[] = "keeper: another one has this project already\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(1);
}

/* The file is removed with its folder, so a lock on a removed one is worth nothing. */
static int lock_runtime(const char *path, struct error *err)
{
	for (;;) {
		_cleanup_close_ int dir = fs_mkdir_path(path, 0700, err), lock = -EBADF;

		if (dir < 0)
			return dir;
		lock = fs_lock(dir, KEEPER_LOCK, err);
		if (lock == -ENOENT) {
			error_clear(err);
			continue;
		}
		if (lock < 0 || is_at(dir, lock))
			return TAKE_FD(lock);
	}
}

/* -EBADF: there is no telling, and the supervisor will say why. 1: another one has it. */
static int lock_state(const char *path, int *ret)
{
	struct error ignored = ERROR_INIT;
	_cleanup_close_ int dir = fs_mkdir_path(path, 0710, &ignored), lock = -EBADF;
	uint64_t start = 0;

	if (dir >= 0)
		lock = openat(dir, KEEPER_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (lock < 0)
		return -EBADF;
	if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
		*ret = TAKE_FD(lock);
		return 1;
	}
	(void)process_start_time(getpid(), &start);
	if (ftruncate(lock, 0) < 0 ||
	    dprintf(lock, "%d %llu\n", getpid(), (unsigned long long)start) < 0)
		return -EBADF;
	*ret = TAKE_FD(lock);
	return 0;
}

/*
 * One keeper a project. Another one that is just ending is waited for; one that stays has what we
 * were started for, and what is in our way may be what it needs: it is waited for without.
 */
static int lock_project(struct keeper *keeper, bool in_unit, struct error *err)
{
	_cleanup_free_ char *runtime = paths_project_runtime(keeper->project);
	_cleanup_free_ char *state = paths_project_state(keeper->project);

	signal(SIGALRM, in_unit ? on_alarm_in_unit : on_alarm);
	alarm(LOCK_PATIENCE_SEC);
	for (;;) {
		_cleanup_close_ int other = -EBADF;

		keeper->lock = lock_runtime(runtime, err);
		if (keeper->lock < 0)
			return keeper->lock;
		if (lock_state(state, &other) <= 0) {
			keeper->state_lock = TAKE_FD(other);
			alarm(0);
			return 0;
		}
		close(keeper->lock);
		(void)flock(other, LOCK_EX);
	}
}

static int prepare(struct keeper *keeper, struct error *err)
{
	struct rlimit all;
	sigset_t signals;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return error_errno(err, "become the reaper of the containers");
	(void)fs_write_knob(AT_FDCWD, "/proc/self/oom_score_adj", "-999");
	if (getrlimit(RLIMIT_NOFILE, &keeper->files) == 0) {
		all = keeper->files;
		all.rlim_cur = all.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &all);
	}
	keeper->program = alloc_zero(1, 4096);
	if (readlink("/proc/self/exe", keeper->program, 4095) < 0)
		strcpy(keeper->program, "/proc/self/exe");

	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	keeper->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (keeper->signals < 0)
		return error_errno(err, "watch signals");
	return keeper_link_open(&keeper->link, err);
}

static void take_starter(struct keeper *keeper)
{
	const char *pid = getenv(KEEPER_STARTER);

	keeper->starter = pid ? atoi(pid) : 0;
	(void)unsetenv(KEEPER_STARTER);
}

/* sd_listen_fds(3). The first descriptors are the supervisor's, so they go further up. */
static void take_sockets(struct keeper *keeper)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	int given = pid && count && atoi(pid) == getpid() ? atoi(count) : 0;

	for (int fd = KEEPER_FD; fd < KEEPER_FD + given && keeper->given < FD_PASS_MAX; fd++) {
		int higher = fcntl(fd, F_DUPFD_CLOEXEC, KEEPER_FD + given);
		char name[32];

		close(fd);
		if (higher < 0)
			continue;
		snprintf(name, sizeof(name), SOCKET_GIVEN_PREFIX "%zu\n", keeper->given++);
		keeper_store_add(&keeper->link.store, name, &higher, 1);
	}
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
}

int keeper_main(int argc, char **argv)
{
	/* Static: reached at the end, so no leak. */
	static struct keeper keeper = {.lock = -EBADF, .state_lock = -EBADF};
	struct error err = ERROR_INIT;
	sigset_t hangup;
	bool in_unit;

	if (argc < 2)
		return 1;
	/* Who finds the lock may send it at once. */
	sigemptyset(&hangup);
	sigaddset(&hangup, SIGHUP);
	sigprocmask(SIG_BLOCK, &hangup, NULL);
	keeper.project = argv[argc - 1];
	log_set_name("keeper");
	log_set_field("BERTH_PROJECT", keeper.project);
	take_starter(&keeper);
	take_sockets(&keeper);
	in_unit = keeper.starter > 0;
	keeper_watchdog_init(&keeper.watchdog);
	if (lock_project(&keeper, in_unit, &err) < 0 || rootless_hold(&err) < 0 ||
	    prepare(&keeper, &err) < 0) {
		log_error("project %s: %s", keeper.project, err.message);
		return 1;
	}
	keeper.start_at_usec = units_monotonic_usec();
	run(&keeper);
	close(keeper.lock);
	return in_unit && keeper.failed;
}
