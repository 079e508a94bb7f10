// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/rootless/rootless.h"

#include <ctype.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/alloc.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/process.h"
#include "common/rootless.h"
#include "common/str.h"

#include "compose/cli/rootless/rootless_lost.h"
#include "compose/cli/systemd/systemd_scope.h"
#include "compose/control/requests.h"

/* As the holder has written it down. */
struct record {
	pid_t pid;
	unsigned long long start, userns, mntns;
};

static char *directory_path(void)
{
	return str_printf("%s/rootless", paths_runtime());
}

/* Its parent is the user's session's, and not ours to make. */
static int open_directory(struct error *err)
{
	_cleanup_free_ char *path = directory_path(), *parent = alloc_string(paths_runtime());
	const char *given = getenv("BERTH_RUNTIME_DIR");
	char *slash = strrchr(parent, '/');

	if (slash && slash > parent)
		*slash = 0;
	if ((!given || !*given) && access(parent, W_OK | X_OK) < 0)
		return error_set(
			err, errno,
			"%s is not there for this user: log in as the user (not by su or "
			"sudo), or `loginctl enable-linger`, or let XDG_RUNTIME_DIR name a "
			"directory of the user's",
			parent);
	if (access(paths_runtime(), F_OK) == 0 && access(paths_runtime(), W_OK | X_OK) < 0)
		return error_set(err, EACCES,
				 "permission denied: %s belongs to another user; run as that user "
				 "or with sudo",
				 paths_runtime());
	return fs_mkdir_path(path, 0700, err);
}

static bool read_record(int directory, struct record *ret)
{
	_cleanup_free_ char *text = NULL;
	struct error ignored = ERROR_INIT;

	return fs_read(directory, ROOTLESS_HOLDER, 256, &text, NULL, &ignored) >= 0 &&
	       sscanf(text, "%d %llu %llu %llu", &ret->pid, &ret->start, &ret->userns,
		      &ret->mntns) == 4;
}

static unsigned long long namespace_of(const char *pid, const char *kind)
{
	_cleanup_free_ char *path = str_printf("/proc/%s/ns/%s", pid, kind);
	struct stat st;

	return stat(path, &st) < 0 ? 0 : st.st_ino;
}

static bool is_in(const char *pid, const struct record *record, bool mounts)
{
	return namespace_of(pid, "user") == record->userns &&
	       (!mounts || namespace_of(pid, "mnt") == record->mntns);
}

/* A pidfd of any process that is in those namespaces, or -ESRCH. */
static int find_survivor(const struct record *record, bool mounts)
{
	_cleanup_dir_ DIR *dir = opendir("/proc");
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		int fd;

		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !is_in(entry->d_name, record, mounts))
			continue;
		fd = process_pidfd_open(atoi(entry->d_name));
		if (fd >= 0 && is_in(entry->d_name, record, mounts))
			return fd;
		cleanup_close_fd(&fd);
	}
	return -ESRCH;
}

/* Whose namespaces a new holder is to hold. */
struct joined {
	int pidfd;   /* negative: nobody's, but new ones */
	bool mounts; /* that of mounts, too; else a new one: a container is in its own */
};

/* The first thing that the holder says, before it has ids; then it says a struct error. */
struct greeting {
	pid_t pid;
	struct error error;
};

/* Should the machine be told to forbid it, says who can allow it, and how. */
static void explain(struct error *err)
{
	static const struct {
		const char *knob, *value;
	} switches[] = {
		{"kernel/unprivileged_userns_clone", "1"},
		{"kernel/apparmor_restrict_unprivileged_userns", "0"},
		{"user/max_user_namespaces", "15000"},
	};

	array_foreach(row, switches) {
		_cleanup_free_ char *path = str_printf("/proc/sys/%s", row->knob), *now = NULL;
		struct error ignored = ERROR_INIT;
		bool bad;

		if (fs_read(AT_FDCWD, path, 64, &now, NULL, &ignored) < 0)
			continue;
		bad = row->value[0] == '0' ? *now != '0' : *now == '0';
		if (!bad)
			continue;
		error_set(err, EPERM,
			  "this machine lets no ordinary user make user namespaces; as root: "
			  "sysctl -w %s=%s, and the same line in /etc/sysctl.d/berth.conf for the "
			  "next "
			  "boots%s (or run berth as root)",
			  row->knob, row->value,
			  strstr(row->knob, "apparmor") ? "; or allow it to berth alone by an "
							  "AppArmor profile with \"userns,\""
							: "");
		return;
	}
}

/* The user namespace, then the holder's program in it. Says by @report how it went. */
static _Noreturn void become_holder(const struct joined *join, int report, const char *path,
				    uid_t uid)
{
	_cleanup_free_ char *variable = str_printf("%u:-1:%s", (unsigned int)uid, path);
	char *argv[] = {"berth", ROOTLESS_COMMAND, (char *)path,
			join->pidfd >= 0 && join->mounts ? "again" : NULL, NULL};
	struct greeting greeting = {.pid = getpid()};
	char go;

	systemd_scope_enter_holder();
	if (join->pidfd >= 0 &&
	    setns(join->pidfd, CLONE_NEWUSER | (join->mounts ? CLONE_NEWNS : 0)) < 0)
		error_errno(&greeting.error, "enter the namespaces of this user's berth");
	if (join->pidfd < 0 && unshare(CLONE_NEWUSER) < 0)
		error_errno(&greeting.error, "make a user namespace");
	(void)fd_write_all(report, &greeting, sizeof(greeting));
	/* Once it has ids. */
	if (greeting.error.code || fd_read_full(report, &go, 1) != 1)
		_exit(1);
	if (chdir("/") < 0 || fd_null(0) < 0 || fd_null(1) < 0 || fd_null(2) < 0 ||
	    dup2(report, 3) < 0)
		_exit(1);
	close_range(4, ~0U, 0);
	(void)fd_set_cloexec(3, false);
	setenv(ROOTLESS_VARIABLE, variable, 1);
	execv("/proc/self/exe", argv);
	_exit(1);
}

/* Nobody's child: it stays when we and our terminal go. */
static void detach_holder(const struct joined *join, const int pair[2], const char *path)
{
	uid_t uid = geteuid();
	pid_t child = fork();

	if (child == 0) {
		/* Should we give up, it is to be told by the end of the file. */
		close(pair[0]);
		setsid();
		if (fork() == 0)
			become_holder(join, pair[1], path, uid);
		_exit(0);
	}
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

static int take(const struct error *said, struct error *err)
{
	if (!said->code)
		return 0;
	*err = *said;
	err->message[sizeof(err->message) - 1] = err->where[sizeof(err->where) - 1] = 0;
	return -err->code;
}

/* The other side of become_holder(). */
static int raise_holder(int report, bool new, struct error *err)
{
	static const char ended[] = "the holder of this user's namespaces ended at once";
	struct greeting greeting;
	struct error said;
	int r;

	if (fd_read_full(report, &greeting, sizeof(greeting)) != sizeof(greeting))
		return error_set(err, EIO, ended);
	r = take(&greeting.error, err);
	if (r >= 0 && new)
		r = rootless_map_ids(greeting.pid, geteuid(), getegid(), err);
	if (r < 0)
		return r;
	if (fd_write_all(report, "", 1) < 0 ||
	    fd_read_full(report, &said, sizeof(said)) != sizeof(said))
		return error_set(err, EIO, ended);
	return take(&said, err);
}

static int start_holder(const struct joined *join, const char *path, struct error *err)
{
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(err, "start the holder of this user's namespaces");
	detach_holder(join, pair, path);
	close(pair[1]);
	r = raise_holder(pair[0], join->pidfd < 0, err);
	close(pair[0]);
	if (r < 0 && join->pidfd < 0 && err->code != ENOENT)
		explain(err);
	return r;
}

/* Without a record of it, which somebody may have removed. */
static int find_lost(const char *path)
{
	int pidfd = rootless_lost_process(path, KEEPER_COMMAND);

	return pidfd >= 0 ? pidfd : rootless_lost_process(path, SUPERVISOR_COMMAND);
}

/* A pidfd of the holder that there is from now on. Under the lock. */
static int find_holder(int directory, const char *path, struct error *err)
{
	struct record record = {0};
	bool recorded = read_record(directory, &record);
	_cleanup_close_ int survivor = -EBADF;
	struct joined join;
	int pidfd, r;

	if (!recorded) {
		r = rootless_lost_renew(directory, path, err);
		if (r < 0)
			return r;
		recorded = r > 0 && read_record(directory, &record);
	}
	pidfd = recorded ? process_adopt(record.pid, record.start) : -ESRCH;
	if (pidfd >= 0)
		return pidfd;
	survivor = recorded ? find_survivor(&record, true) : find_lost(path);
	join.mounts = survivor >= 0;
	/* With all keepers dead there are but containers: ids stay theirs, mounts are made anew. */
	if (recorded && survivor < 0)
		survivor = find_survivor(&record, false);
	join.pidfd = survivor;
	r = start_holder(&join, path, err);
	if (r < 0)
		return r;
	if (!read_record(directory, &record))
		return error_set(err, EIO, "%s/holder cannot be read", path);
	pidfd = process_adopt(record.pid, record.start);
	return pidfd < 0 ? error_code(err, pidfd, "find the holder of this user's namespaces")
			 : pidfd;
}

/* The same command line, in there. @users holds the namespaces meanwhile. */
static int go_on(char *const argv[], const char *path, int users, uid_t uid, struct error *err)
{
	_cleanup_free_ char *variable = str_printf("%u:%d:%s", (unsigned int)uid, users, path);

	(void)fd_set_cloexec(users, false);
	setenv(ROOTLESS_VARIABLE, variable, 1);
	execv("/proc/self/exe", argv);
	return error_errno(err, "run berth in the namespaces of this user");
}

int rootless_enter(char *const argv[], struct error *err)
{
	_cleanup_free_ char *path = NULL, *here = NULL;
	_cleanup_close_ int directory = -EBADF, lock = -EBADF, holder = -EBADF, users = -EBADF;
	uid_t uid = geteuid();

	if (uid == 0)
		return 0;
	path = directory_path();
	directory = open_directory(err);
	if (directory < 0)
		return directory;
	lock = fs_lock(directory, "lock", err);
	if (lock < 0)
		return lock;
	holder = find_holder(directory, path, err);
	if (holder < 0)
		return holder;
	users = openat(directory, ROOTLESS_USERS, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (users < 0)
		return error_errno(err, "%s/" ROOTLESS_USERS, path);
	/* It is our working directory in that mount namespace, too. */
	here = getcwd(NULL, 0);
	if (!here)
		return error_errno(err, "find the working directory");
	if (setns(holder, CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return error_errno(err, "enter the namespaces of this user's berth");
	if (chdir(here) < 0)
		return error_errno(err, "%s", here);
	close(TAKE_FD(lock));
	return go_on(argv, path, users, uid, err);
}
