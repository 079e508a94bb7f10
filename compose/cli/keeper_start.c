// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/keeper_start.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "common/alloc.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/process.h"
#include "common/rootless.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/systemd/systemd_scope.h"
#include "compose/control/projects.h"
#include "compose/control/requests.h"

#define SOCKET_NAME   "control.sock"
#define LOG_NAME      "supervisor.log"
#define COMPLAIN_USEC (3 * (int64_t)USEC_PER_SEC)
#define START_USEC    (30 * (int64_t)USEC_PER_SEC)
/* Between bind() and listen() nothing tells that it is time to try again. */
#define RETRY_MSEC 5
#define WATCH_MSEC 200
#define STARTS_MAX 4

int keeper_connect(const char *project)
{
	_cleanup_free_ char *path = paths_project_runtime(project);
	_cleanup_close_ int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -EBADF;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char short_path[FD_PATH_MAX];

	if (dir < 0)
		return -errno;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* The path may be longer than a socket's address can hold; by way of the fd it is not. */
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/" SOCKET_NAME,
		 fd_path(dir, short_path));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* The directory itself may go (a `down` ends) and come back: it is watched anew each time. */
static int watch_directory(const char *project)
{
	_cleanup_free_ char *path = paths_project_runtime(project);
	_cleanup_close_ int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (watch < 0 || inotify_add_watch(watch, path, IN_CREATE | IN_MOVED_TO | IN_ATTRIB) < 0)
		return -errno;
	return TAKE_FD(watch);
}

/* Somebody holds that lock. An fd of its file, or -ESRCH. */
static int find_lock(const char *folder)
{
	_cleanup_free_ char *path = str_printf("%s/" KEEPER_LOCK, folder);
	_cleanup_close_ int lock = open(path, O_RDONLY | O_CLOEXEC);

	if (lock < 0 || flock(lock, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
		return -ESRCH;
	return TAKE_FD(lock);
}

/* A keeper holds its locks as long as it lives; its project's folders go before it does. */
static bool has_keeper(const char *project)
{
	_cleanup_free_ char *runtime = paths_project_runtime(project);
	_cleanup_free_ char *state = paths_project_state(project);
	_cleanup_close_ int lock = find_lock(runtime);

	if (lock < 0)
		lock = find_lock(state);
	return lock >= 0;
}

/* A pidfd of the keeper that has the state of @project, or -ESRCH. */
static int find_keeper(const char *project)
{
	_cleanup_free_ char *state = paths_project_state(project), *text = NULL;
	_cleanup_close_ int lock = find_lock(state), dir = -EBADF;
	struct error ignored = ERROR_INIT;
	unsigned long long start;
	pid_t pid;

	if (lock >= 0)
		dir = open(state, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fs_read(dir, KEEPER_LOCK, 64, &text, NULL, &ignored) < 0 ||
	    sscanf(text, "%d %llu", &pid, &start) != 2)
		return -ESRCH;
	return process_adopt(pid, start);
}

bool keeper_runs(const char *project)
{
	_cleanup_free_ char *socket = paths_control_socket(project);

	return access(socket, F_OK) == 0 || has_keeper(project);
}

/* A supervisor whose keeper was killed can be connected to until it has followed it. */
static bool is_of_keeper(int fd, int pidfd)
{
	struct ucred peer = {0};
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       process_parent(peer.pid) == process_pidfd_pid(pidfd);
}

static int connect_to(const char *project, int pidfd)
{
	_cleanup_close_ int fd = keeper_connect(project);

	if (fd < 0)
		return fd;
	return pidfd < 0 || is_of_keeper(fd, pidfd) ? TAKE_FD(fd) : -ECONNREFUSED;
}

/* @pidfd: who should come to listen; negative: any keeper. -ECHILD when there is none any more. */
static int wait_connect(const char *project, int pidfd, int64_t timeout_usec, struct error *err)
{
	int64_t deadline = units_monotonic_usec() + timeout_usec;
	int fd = connect_to(project, pidfd);

	while (fd < 0) {
		_cleanup_close_ int watch = watch_directory(project);
		struct pollfd polls[] = {{watch, POLLIN}, {pidfd, POLLIN}};
		int64_t left = (deadline - units_monotonic_usec()) / 1000;
		int patience;

		/* Once more, for it may have come before the watch. */
		fd = connect_to(project, pidfd);
		if (fd >= 0)
			break;
		if (fd != -ENOENT && fd != -ECONNREFUSED)
			return error_code(err, fd, "project %s: connect to its supervisor",
					  project);
		if (pidfd >= 0 ? poll(polls + 1, 1, 0) > 0 : !has_keeper(project))
			return error_set(err, ECHILD, "project %s: its supervisor ended", project);
		if (left <= 0)
			return error_set(err, ETIMEDOUT,
					 "project %s: its supervisor does not answer", project);
		patience = fd == -ECONNREFUSED || watch < 0 ? RETRY_MSEC : WATCH_MSEC;
		poll(polls, 2, left < patience ? (int)left : patience);
		fd = connect_to(project, pidfd);
	}
	return fd;
}

int keeper_wait_connect(const char *project, int64_t timeout_usec, struct error *err)
{
	return wait_connect(project, -EBADF, timeout_usec, err);
}

int keeper_await(const char *project, int pidfd, int64_t timeout_usec, struct error *err)
{
	return wait_connect(project, pidfd, timeout_usec, err);
}

/* What outlives the user's shell takes along only what it needs of the environment. */
static char **keeper_environment(void)
{
	static const char *const kept[] = {"PATH",
					   "HOME",
					   "USER",
					   "LANG",
					   "TMPDIR",
					   "TZ",
					   "XDG_RUNTIME_DIR",
					   "XDG_DATA_HOME",
					   "INVOCATION_ID",
					   "BERTH_DEBUG",
					   "BERTH_FIREWALL",
					   "ASAN_OPTIONS",
					   "UBSAN_OPTIONS",
					   "LSAN_OPTIONS",
					   "DBUS_SESSION_BUS_ADDRESS"};
	_cleanup_free_ char *variable = rootless_variable();
	char **environment = NULL;

	array_foreach(name, kept) {
		strv_env_set(&environment, *name, getenv(*name));
	}
	strv_env_set(&environment, ROOTLESS_VARIABLE, variable);
	strv_env_set(&environment, "BERTH_ROOT", paths_root());
	strv_env_set(&environment, "BERTH_RUNTIME_DIR", paths_runtime());
	return environment;
}

static void reset_signals(void)
{
	struct sigaction fallback = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		(void)sigaction(s, &fallback, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3), systemd.exec(5). */
static void add_service_environment(char ***environment)
{
	static const char *const kept[] = {
		"NOTIFY_SOCKET",         "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM",
		"CREDENTIALS_DIRECTORY", "BERTH_TIMERS",  "LISTEN_PID",   "LISTEN_FDS"};

	array_foreach(name, kept) {
		strv_env_set(environment, *name, getenv(*name));
	}
}

int keeper_become(const char *project, pid_t starter, struct error *err)
{
	_cleanup_free_ char *name = alloc_string(project);
	_cleanup_free_ char *pid = str_printf("%d", starter);
	char program[4096] = "";
	_cleanup_strv_ char **environment = keeper_environment();
	char *argv[] = {"berth", KEEPER_COMMAND, name, NULL};

	add_service_environment(&environment);
	strv_env_set(&environment, KEEPER_STARTER, pid);
	reset_signals();
	umask(022);
	/* By its path, where there is one: `systemctl status` then names it rightly. */
	if (chdir("/") == 0 && readlink("/proc/self/exe", program, sizeof(program) - 1) > 0)
		execve(program, argv, environment);
	execve("/proc/self/exe", argv, environment);
	return error_errno(err, "project %s: become its keeper", project);
}

/* In the grandchild. Never returns. */
static void become_keeper(const char *project, char *const argv[], char *const environment[],
			  int ready, int log)
{
	reset_signals();
	umask(022);
	if (chdir("/") < 0 || dup2(ready, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
		_exit(1);
	/* What the shell left open (a terminal, a lock) is not for something that stays. */
	close_range(3, ~0U, 0);
	systemd_scope_enter(project);
	execve("/proc/self/exe", argv, environment);
	dprintf(2, "start the keeper: %s\n", strerror(errno));
	_exit(1);
}

/* In the child: the keeper must not be ours to reap, nor die with our terminal. */
static void detach_keeper(const char *project, char *const argv[], char *const environment[],
			  int ready, int log, int report)
{
	pid_t pid;

	setsid();
	pid = fork();
	if (pid == 0)
		become_keeper(project, argv, environment, ready, log);
	if (pid > 0)
		(void)fd_write_all(report, &pid, sizeof(pid));
	_exit(pid < 0);
}

/* Its pidfd. @ready is its stdin: see await_ready(). */
static int spawn_keeper(const char *project, int dir, int ready, struct error *err)
{
	_cleanup_free_ char *name = alloc_string(project);
	_cleanup_strv_ char **environment = keeper_environment();
	_cleanup_close_ int log = -EBADF;
	char *argv[] = {"berth", KEEPER_COMMAND, name, NULL};
	int report[2], status;
	pid_t child, pid = 0;
	ssize_t n;

	log = openat(dir, LOG_NAME, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (log < 0 || pipe2(report, O_CLOEXEC) < 0)
		return error_errno(err, "project %s: start its keeper", project);
	child = fork();
	if (child == 0)
		detach_keeper(project, argv, environment, ready, log, report[1]);
	close(report[1]);
	n = child < 0 ? -1 : fd_read_full(report[0], &pid, sizeof(pid));
	close(report[0]);
	if (child > 0)
		waitpid(child, &status, 0);
	if (n != sizeof(pid))
		return error_set(err, EAGAIN, "project %s: cannot fork its keeper", project);
	/* If it is gone already, its log says why; a pidfd of nobody is told by poll as well. */
	return process_pidfd_open(pid);
}

/* The last lines of its log belong to the error: nobody should have to look for them. */
static int with_log(const char *project, int dir, off_t from, struct error *err)
{
	char tail[256];
	_cleanup_free_ char *state = paths_project_state(project);
	_cleanup_close_ int log = openat(dir, LOG_NAME, O_RDONLY | O_CLOEXEC);
	off_t end = log < 0 ? 0 : lseek(log, 0, SEEK_END);
	ssize_t n = 0;

	if (end > from + (off_t)sizeof(tail) - 1)
		from = end - (off_t)sizeof(tail) + 1;
	if (end > from)
		n = pread(log, tail, sizeof(tail) - 1, from);
	/* All said: of a project that does not even exist, nothing stays. */
	if (access(state, F_OK) < 0)
		(void)unlinkat(dir, LOG_NAME, 0);
	if (n <= 0)
		return error_set(err, ECHILD, "project %s: its supervisor did not start", project);
	tail[n] = 0;
	return error_set(err, ECHILD, "project %s: its supervisor did not start: %s", project,
			 str_trim(tail));
}

/*
 * Keeper and supervisor let go of their stdin, the pipe's other end, once the supervisor listens,
 * or by dying. A watch of the folder would tell as well, but the kernel takes a grace period (some
 * 15 ms) to end one.
 */
static void await_ready(int ready, int pidfd, int64_t timeout_usec)
{
	struct pollfd polls[] = {{.fd = ready}, {.fd = pidfd, .events = POLLIN}};

	(void)poll(polls, 2, (int)(timeout_usec / 1000));
}

static off_t log_size(int dir)
{
	struct stat st;

	return fstatat(dir, LOG_NAME, &st, 0) < 0 ? 0 : st.st_size;
}

/* One that is just leaving removes the folder, perhaps while we look at it. */
static int open_locked(const char *path, int *ret_dir, struct error *err)
{
	for (;;) {
		_cleanup_close_ int base = fs_mkdir_path(paths_runtime(), 0755, err), dir = -EBADF;
		int lock;

		if (base < 0)
			return base;
		dir = fs_mkdir_path(path, 0700, err);
		if (dir < 0)
			return dir;
		lock = fs_lock(dir, START_LOCK, err);
		if (lock == -ENOENT) {
			error_clear(err);
			continue;
		}
		*ret_dir = TAKE_FD(dir);
		return lock;
	}
}

int keeper_start_lock(const char *project, struct error *err)
{
	_cleanup_free_ char *path = paths_project_runtime(project);
	_cleanup_close_ int dir = -EBADF;

	return open_locked(path, &dir, err);
}

/* The keeper's pidfd, once its supervisor listens or has taken too long. */
static int spawn_and_wait(const char *project, int dir, int64_t deadline, struct error *err)
{
	_cleanup_close_ int ready = -EBADF;
	int pair[2], pidfd;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return error_errno(err, "project %s: start its keeper", project);
	ready = pair[0];
	pidfd = spawn_keeper(project, dir, pair[1], err);
	close(pair[1]);
	if (pidfd >= 0 || pidfd == -ESRCH)
		await_ready(ready, pidfd, deadline - units_monotonic_usec());
	return pidfd;
}

/* Its names are missing for all projects, not only for the one that is asked for. */
static void wake_the_lost(void)
{
	_cleanup_strv_ char **projects = NULL;
	struct error ignored = ERROR_INIT;

	(void)projects_list(&projects, &ignored);
	strv_foreach(project, projects) {
		_cleanup_free_ char *socket = paths_control_socket(project);
		_cleanup_close_ int pidfd = -EBADF;

		if (access(socket, F_OK) < 0)
			pidfd = find_keeper(project);
		if (pidfd >= 0)
			(void)process_pidfd_signal(pidfd, SIGHUP);
	}
}

int keeper_find_lost(const char *project, struct error *err)
{
	_cleanup_close_ int pidfd = find_keeper(project);
	int fd;

	if (pidfd < 0)
		return -ENOENT;
	wake_the_lost();
	fd = wait_connect(project, pidfd, COMPLAIN_USEC, err);
	if (fd == -ETIMEDOUT) {
		_cleanup_free_ char *socket = paths_control_socket(project);

		return error_set(
			err, ETIMEDOUT,
			"project %s: its supervisor runs, but is not reached by %s: it was "
			"started with another BERTH_RUNTIME_DIR or XDG_RUNTIME_DIR, or hangs "
			"(then `kill -9 %d`, its keeper: the next command takes over what runs)",
			project, socket, process_pidfd_pid(pidfd));
	}
	if (fd == -ECHILD)
		error_clear(err);
	return fd == -ECHILD ? -ENOENT : fd;
}

/* -EAGAIN: it ended and said nothing. */
static int start_once(const char *project, struct error *err)
{
	_cleanup_free_ char *path = paths_project_runtime(project);
	_cleanup_close_ int dir = -EBADF, lock = open_locked(path, &dir, err), pidfd = -EBADF;
	int64_t deadline = units_monotonic_usec() + COMPLAIN_USEC;
	off_t log_before;
	int fd;

	if (lock < 0)
		return lock;
	fd = keeper_connect(project);
	if (fd == -ENOENT)
		fd = keeper_find_lost(project, err);
	if (fd >= 0 || err->code)
		return fd;
	log_before = log_size(dir);
	pidfd = spawn_and_wait(project, dir, deadline, err);
	if (pidfd < 0 && pidfd != -ESRCH)
		return err->code ? pidfd
				 : error_code(err, pidfd, "project %s: its keeper", project);
	fd = wait_connect(project, pidfd, deadline - units_monotonic_usec(), err);
	/* A keeper starts its supervisor again and again: if that one complains, it is no accident.
	 */
	if (fd == -ETIMEDOUT && log_size(dir) == log_before) {
		error_clear(err);
		fd = wait_connect(project, pidfd, START_USEC, err);
	}
	if (fd != -ECHILD && fd != -ETIMEDOUT && (fd >= 0 || pidfd >= 0))
		return fd;
	(void)with_log(project, dir, log_before, err);
	return fd == -ECHILD && log_size(dir) <= log_before ? -EAGAIN : -err->code;
}

/* One that ended without a word had given up waiting: for us, or for the keeper before it. */
int keeper_start(const char *project, struct error *err)
{
	int fd = -EAGAIN;

	for (int i = 0; fd == -EAGAIN && i < STARTS_MAX; i++) {
		error_clear(err);
		fd = start_once(project, err);
	}
	return fd == -EAGAIN ? -err->code : fd;
}
