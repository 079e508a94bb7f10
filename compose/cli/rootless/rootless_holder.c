// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rootless_holder.c - the process that keeps a user's namespaces while anybody is in them, and the
 * way out of the network of the bridges (rootless_way.h).
 *
 * It is in the host's network itself, as pasta must be. It ends when nobody has the FIFO open for
 * writing and no other process is in its user namespace: containers, whose keepers were killed,
 * have no FIFO.
 */
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/alloc.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/process.h"
#include "common/rootless.h"
#include "common/str.h"

#include "netmgr/usermode.h"

#include "compose/cli/rootless/rootless.h"
#include "compose/cli/rootless/rootless_lost.h"
#include "compose/cli/rootless/rootless_way.h"

#define REPORT_FD 3

struct holder {
	const char *path;
	int directory, users, signals;
	int netns;         /* of the bridges */
	bool has_clients;  /* see ROOTLESS_CLIENTS */
	int other, writer; /* while we wait for another one to end, see hold() */
	struct rootless_way way;
};

static ino_t inode(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? 0 : st.st_ino;
}

static void loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0)
		close(fd);
}

static void note_clients(struct holder *holder)
{
	struct error ignored = ERROR_INIT;

	(void)fs_replace(holder->directory, ROOTLESS_CLIENTS, "", 0, FS_ATOMIC, &ignored);
}

/* A kernel may lack what it takes: then containers see the bridge's address. */
static void prepare_clients(struct holder *holder)
{
	struct error ignored = ERROR_INIT;

	if (usermode_prepare(&ignored) >= 0)
		note_clients(holder);
}

/*
 * A process of its own makes the network namespace, or enters the one that there is: the mount is
 * what it then lives by, and cannot be made of a descriptor whose mount is gone.
 */
static int mount_network(struct holder *holder, struct error *err)
{
	_cleanup_free_ char *netns = str_printf("%s/" ROOTLESS_NETNS, holder->path);
	int fd = openat(holder->directory, ROOTLESS_NETNS, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	bool new = holder->netns < 0;
	int status = 0;
	pid_t child;

	if (fd < 0)
		return error_errno(err, "%s", netns);
	close(fd);
	child = fork();
	if (child == 0) {
		if ((new ? unshare(CLONE_NEWNET) : setns(holder->netns, CLONE_NEWNET)) < 0 ||
		    mount("/proc/self/ns/net", netns, NULL, MS_BIND, NULL) < 0)
			_exit(errno);
		if (new) {
			loopback_up();
			prepare_clients(holder);
		}
		_exit(0);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (child < 0 || status)
		return error_code(err, child < 0 ? errno : WEXITSTATUS(status),
				  "mount a network namespace");
	return 0;
}

static int make_namespaces(struct holder *holder, struct error *err)
{
	_cleanup_free_ char *netns = str_printf("%s/" ROOTLESS_NETNS, holder->path);
	_cleanup_close_ int pasta = -EBADF;

	/* What the host mounts later is seen in here, and nothing of ours out there. */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return error_errno(err, "mount namespace");
	/* Of a holder that was killed, with all who were in there: pasta mostly goes with it. */
	(void)unlinkat(holder->directory, ROOTLESS_NETNS, 0);
	pasta = rootless_lost_pasta(netns);
	if (pasta >= 0)
		(void)process_pidfd_signal(pasta, SIGKILL);
	(void)unlinkat(holder->directory, ROOTLESS_WAY, 0);
	(void)unlinkat(holder->directory, ROOTLESS_CLIENTS, 0);
	return mount_network(holder, err);
}

/* By its path: our directory's descriptor may be of the mount namespace that we came from. */
static void open_network(struct holder *holder)
{
	_cleanup_free_ char *netns = str_printf("%s/" ROOTLESS_NETNS, holder->path);

	holder->netns = open(netns, O_RDONLY | O_CLOEXEC);
}

/* Of a holder before us; where its directory is gone as well, by who has it open. */
static int find_network(struct holder *holder, struct error *err)
{
	open_network(holder);
	if (holder->netns >= 0)
		return 0;
	holder->netns = rootless_lost_network(holder->path);
	return mount_network(holder, err);
}

static int write_record(struct holder *holder, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	uint64_t start = 0;

	(void)process_start_time(getpid(), &start);
	text = str_printf("%d %llu %llu %llu\n", getpid(), (unsigned long long)start,
			  (unsigned long long)inode("/proc/self/ns/user"),
			  (unsigned long long)inode("/proc/self/ns/mnt"));
	return fs_replace(holder->directory, ROOTLESS_HOLDER, text, strlen(text), FS_ATOMIC, err);
}

static int open_users(struct holder *holder, struct error *err)
{
	if (mkfifoat(holder->directory, ROOTLESS_USERS, 0600) < 0 && errno != EEXIST)
		return error_errno(err, "%s/" ROOTLESS_USERS, holder->path);
	holder->users =
		openat(holder->directory, ROOTLESS_USERS, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (holder->users < 0)
		return error_errno(err, "%s/" ROOTLESS_USERS, holder->path);
	return 0;
}

static int prepare(struct holder *holder, bool again, struct error *err)
{
	sigset_t signals;
	int r;

	umask(077);
	holder->directory = open(holder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	holder->way.directory = holder->directory;
	if (holder->directory < 0)
		return error_errno(err, "%s", holder->path);
	r = again ? find_network(holder, err) : make_namespaces(holder, err);
	if (r >= 0 && holder->netns < 0)
		open_network(holder);
	holder->has_clients = faccessat(holder->directory, ROOTLESS_CLIENTS, F_OK, 0) == 0;
	if (again) {
		rootless_way_find(&holder->way);
		rootless_way_tell(&holder->way);
		holder->way.is_asked = holder->way.daemon >= 0;
	}
	rootless_way_watch(&holder->way);
	if (r >= 0)
		r = open_users(holder, err);
	if (r < 0)
		return r;
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	holder->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	/* pasta becomes a daemon: it is our child still. */
	if (holder->signals < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return error_errno(err, "watch signals");
	return write_record(holder, err);
}

static int open_writer(struct holder *holder)
{
	return openat(holder->directory, ROOTLESS_USERS, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

/* Then the FIFO, once it has no writer, is hung up; before it ever had one it would not be. */
static void expect_hangup(struct holder *holder)
{
	int writer = open_writer(holder);

	cleanup_close_fd(&writer);
}

static void end_waiting(struct holder *holder)
{
	cleanup_close_fd(&holder->other);
	cleanup_close_fd(&holder->writer);
	holder->other = holder->writer = -EBADF;
}

static bool is_there(const struct holder *holder)
{
	struct stat ours, there;

	return faccessat(holder->directory, ROOTLESS_HOLDER, F_OK, 0) == 0 &&
	       fstat(holder->directory, &ours) == 0 && stat(holder->path, &there) == 0 &&
	       ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

/*
 * Our directory was removed. All goes into the new one; who has the old FIFO is found as who has
 * none. Where it fails, the client that told us says so.
 */
static void renew(struct holder *holder)
{
	struct error ignored = ERROR_INIT;
	int directory =
		is_there(holder) ? -EBADF : open(holder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (directory < 0)
		return;
	cleanup_close_fd(&holder->directory);
	cleanup_close_fd(&holder->users);
	end_waiting(holder);
	holder->directory = holder->way.directory = directory;
	if (open_users(holder, &ignored) < 0 || mount_network(holder, &ignored) < 0)
		return;
	expect_hangup(holder);
	if (holder->has_clients)
		note_clients(holder);
	rootless_way_tell(&holder->way);
	(void)write_record(holder, &ignored);
}

static void read_signals(struct holder *holder)
{
	struct signalfd_siginfo info;

	while (read(holder->signals, &info, sizeof(info)) > 0)
		if (info.ssi_signo == SIGHUP)
			renew(holder);
}

static void reap(struct holder *holder)
{
	pid_t pid;
	int status;

	read_signals(holder);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		(void)rootless_way_reaped(&holder->way, pid, status);
}

/* A pidfd of a process besides us and pasta that is in our user namespace; -ESRCH: nobody is. */
static int find_other(struct holder *holder)
{
	_cleanup_dir_ DIR *dir = opendir("/proc");
	ino_t ours = inode("/proc/self/ns/user");
	pid_t pasta = rootless_way_pid(&holder->way);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *path = str_printf("/proc/%s/ns/user", entry->d_name);
		pid_t pid = atoi(entry->d_name);
		int fd;

		if (pid <= 0 || pid == getpid() || pid == pasta || inode(path) != ours)
			continue;
		fd = process_pidfd_open(pid);
		if (fd >= 0)
			return fd;
	}
	return -ESRCH;
}

static bool has_users(struct holder *holder)
{
	struct pollfd users = {.fd = holder->users};

	return poll(&users, 1, 0) <= 0 || !(users.revents & POLLHUP);
}

/* With the lock, so that nobody is just coming in. False: somebody did. */
static bool leave(struct holder *holder)
{
	_cleanup_free_ char *netns = str_printf("%s/" ROOTLESS_NETNS, holder->path);
	static const char *const names[] = {ROOTLESS_HOLDER, ROOTLESS_USERS, ROOTLESS_NETNS,
					    ROOTLESS_CLIENTS};
	struct error ignored = ERROR_INIT;
	int lock = fs_lock(holder->directory, "lock", &ignored);

	/* Nobody comes in by a directory that was removed. */
	if ((lock < 0 && lock != -ENOENT) || has_users(holder)) {
		cleanup_close_fd(&lock);
		return false;
	}
	rootless_way_end(&holder->way);
	(void)umount2(netns, MNT_DETACH);
	array_foreach(name, names)
		(void)unlinkat(holder->directory, *name, 0);
	return true;
}

static void hold(struct holder *holder)
{
	/* Who made us has the lock still: if that one died meanwhile, nobody will come. */
	expect_hangup(holder);
	for (;;) {
		struct pollfd polls[] = {{.fd = holder->signals, .events = POLLIN},
					 {.fd = holder->users, .events = POLLIN},
					 {.fd = holder->other, .events = POLLIN},
					 {.fd = holder->way.daemon, .events = POLLIN},
					 {.fd = holder->way.routes, .events = POLLIN}};
		char wishes[64];

		if (poll(polls, ARRAY_SIZE(polls), -1) < 0)
			continue;
		if (polls[1].revents & POLLIN && read(holder->users, wishes, sizeof(wishes)) > 0)
			rootless_way_want(&holder->way);
		if (polls[3].revents)
			rootless_way_lost(&holder->way);
		if (polls[4].revents)
			rootless_way_read_routes(&holder->way);
		if (polls[2].revents) {
			end_waiting(holder);
		} else if (polls[1].revents == POLLHUP) {
			holder->other = find_other(holder);
			/* We are a writer meanwhile: a hang-up would be told on and on. */
			if (holder->other >= 0)
				holder->writer = open_writer(holder);
			else if (leave(holder))
				return;
		}
		/* Last, for it may change all of these. */
		if (polls[0].revents)
			reap(holder);
	}
}

int rootless_holder_main(int argc, char **argv)
{
	struct holder holder = {
		.directory = -EBADF,
		.users = -EBADF,
		.signals = -EBADF,
		.netns = -EBADF,
		.other = -EBADF,
		.writer = -EBADF,
		.way = {.routes = -EBADF, .daemon = -EBADF},
	};
	struct error err = ERROR_INIT;

	if (argc < 3)
		return 1;
	holder.path = holder.way.path = argv[2];
	(void)fd_set_cloexec(REPORT_FD, true);
	(void)prepare(&holder, argc > 3, &err);
	(void)fd_write_all(REPORT_FD, &err, sizeof(err));
	if (err.code)
		return 1;
	close(REPORT_FD);
	hold(&holder);
	return 0;
}
