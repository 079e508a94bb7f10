// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/rootless.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/process.h"
#include "common/str.h"

#define WAY_MSEC 10000

static struct {
	bool asked, on;
	uid_t uid;
	unsigned int last_uid, last_gid; /* in there */
	char *directory;
} place;

/* A thread that does what is asked of it, for one that waits. */
struct worker {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pid_t process, thread;
	int (*work)(void *data);
	void *data;
	int result;
	bool done;
};

#define WORKER                                                                         \
	{                                                                              \
		.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER \
	}

/* In the host's network; and those whose children may be in others' pid namespaces. */
static struct worker host = WORKER, astray = WORKER, astray_on_host = WORKER;

static unsigned int last_id(const char *map)
{
	_cleanup_fclose_ FILE *file = fopen(map, "re");
	unsigned int inside, outside, count, last = 0;

	while (file && fscanf(file, "%u %u %u", &inside, &outside, &count) == 3)
		if (count && inside + count - 1 > last)
			last = inside + count - 1;
	return last;
}

/* "         0       1000          1": we are root only in there. */
static bool is_root_for(uid_t uid)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/uid_map", "re");
	unsigned int inside, outside;

	return geteuid() == 0 && file && fscanf(file, "%u %u", &inside, &outside) == 2 &&
	       inside == 0 && outside == uid;
}

static void ask(void)
{
	const char *value = getenv(ROOTLESS_VARIABLE);
	unsigned int uid;
	int fd, n = 0;

	place.asked = true;
	if (!value || sscanf(value, "%u:%d:%n", &uid, &fd, &n) != 2 || !uid || !n ||
	    value[n] != '/' || !is_root_for(uid))
		return;
	place.on = true;
	/* By now, for who unpacks an image has no /proc. */
	place.last_uid = last_id("/proc/self/uid_map");
	place.last_gid = last_id("/proc/self/gid_map");
	place.uid = uid;
	place.directory = alloc_string(value + n);
	/* It came through our exec, and is for nobody whom we execute. */
	if (fd > 2) {
		_cleanup_free_ char *without = rootless_variable();

		(void)fd_set_cloexec(fd, true);
		setenv(ROOTLESS_VARIABLE, without, 1);
	}
}

bool rootless(void)
{
	if (!place.asked)
		ask();
	return place.on;
}

uid_t rootless_uid(void)
{
	return rootless() ? place.uid : geteuid();
}

const char *rootless_directory(void)
{
	return rootless() ? place.directory : NULL;
}

char *rootless_variable(void)
{
	return rootless() ? str_printf("%u:-1:%s", place.uid, place.directory) : NULL;
}

static int open_users(struct error *err)
{
	_cleanup_free_ char *path = str_printf("%s/" ROOTLESS_USERS, place.directory);
	int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? error_errno(err, "%s", path) : fd;
}

static int open_network(struct error *err)
{
	_cleanup_free_ char *path = str_printf("%s/" ROOTLESS_NETNS, place.directory);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? error_errno(err, "open the network of containers, %s", path) : fd;
}

int rootless_hold(struct error *err)
{
	static int held = -EBADF, netns = -EBADF;

	if (!rootless() || held >= 0)
		return 0;
	netns = open_network(err);
	held = netns < 0 ? netns : open_users(err);
	return held < 0 ? held : 0;
}

static void *serve(void *data)
{
	struct worker *self = data;

	/* What is one to several threads cannot change its mount namespace. */
	(void)unshare(CLONE_FS);
	pthread_mutex_lock(&self->lock);
	self->thread = (pid_t)syscall(SYS_gettid);
	pthread_cond_broadcast(&self->changed);
	for (;;) {
		while (!self->work)
			pthread_cond_wait(&self->changed, &self->lock);
		self->result = self->work(self->data);
		self->work = NULL;
		self->done = true;
		pthread_cond_broadcast(&self->changed);
	}
	return NULL;
}

/* Without signals: those are the main thread's. A child has a copy of us, but no threads. */
static int start_worker(struct worker *worker)
{
	pthread_t thread;
	sigset_t all, before;
	int r;

	if (worker->process == getpid())
		return 0;
	*worker = (struct worker)WORKER;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, NULL, serve, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0)
		return -r;
	(void)pthread_detach(thread);
	pthread_mutex_lock(&worker->lock);
	while (!worker->thread)
		pthread_cond_wait(&worker->changed, &worker->lock);
	pthread_mutex_unlock(&worker->lock);
	worker->process = getpid();
	return 0;
}

static int ask_worker(struct worker *worker, int (*work)(void *data), void *data)
{
	int result;

	pthread_mutex_lock(&worker->lock);
	worker->data = data;
	worker->done = false;
	worker->work = work;
	pthread_cond_broadcast(&worker->changed);
	while (!worker->done)
		pthread_cond_wait(&worker->changed, &worker->lock);
	result = worker->result;
	pthread_mutex_unlock(&worker->lock);
	return result;
}

static bool has_left_host(void)
{
	return host.process && host.process == getpid();
}

int rootless_on_host(int (*work)(void *data), void *data)
{
	return has_left_host() ? ask_worker(&host, work, data) : work(data);
}

static int start_astray(void *data)
{
	return start_worker(data);
}

int rootless_astray(bool on_host, int (*work)(void *data), void *data)
{
	struct worker *worker = on_host && has_left_host() ? &astray_on_host : &astray;
	int r;

	if (!rootless())
		return work(data);
	/* Born where it is to stand. */
	r = worker == &astray_on_host ? ask_worker(&host, start_astray, worker)
				      : start_worker(worker);
	return r < 0 ? r : ask_worker(worker, work, data);
}

/* 1: there is no way, and why; 0: there is; -ENOENT: not known yet. */
static int read_way(struct error *err)
{
	_cleanup_free_ char *path = str_printf("%s/" ROOTLESS_WAY, place.directory), *why = NULL;
	struct error ignored = ERROR_INIT;

	if (fs_read(AT_FDCWD, path, 4096, &why, NULL, &ignored) < 0)
		return -ENOENT;
	if (!*str_trim(why))
		return 0;
	error_set(err, ENETUNREACH, "%s", why);
	return 1;
}

int rootless_has_no_way(struct error *err)
{
	return rootless() && read_way(err) == 1;
}

static int await_way(struct error *err)
{
	_cleanup_close_ int users = open_users(err), watch = inotify_init1(IN_CLOEXEC);
	struct pollfd news = {.fd = watch, .events = POLLIN};
	char buffer[4096];
	int r;

	/* The holder was killed; the next client makes another one, and pasta goes on meanwhile. */
	if (users == -ENXIO) {
		error_clear(err);
		return 0;
	}
	if (users < 0)
		return users;
	if (watch < 0 || inotify_add_watch(watch, place.directory, IN_MOVED_TO) < 0)
		return error_errno(err, "watch %s", place.directory);
	if (write(users, ROOTLESS_WISH, 1) != 1)
		return error_errno(err, "ask for a way out of the network of containers");
	while ((r = read_way(err)) == -ENOENT) {
		if (poll(&news, 1, WAY_MSEC) <= 0) {
			error_set(err, ETIMEDOUT, "pasta does not come up");
			return 1;
		}
		(void)!read(watch, buffer, sizeof(buffer));
	}
	return r;
}

int rootless_network_enter(struct error *err)
{
	_cleanup_close_ int netns = -EBADF;
	int r;

	if (!rootless() || has_left_host())
		return 0;
	netns = open_network(err);
	if (netns < 0)
		return netns;
	r = start_worker(&host);
	if (r < 0)
		return error_code(err, r, "start a thread for the host's network");
	if (setns(netns, CLONE_NEWNET) < 0)
		return error_errno(err, "enter the network of containers");
	return await_way(err);
}

struct wish {
	int domain, type, protocol;
};

static int make_socket(void *data)
{
	const struct wish *wish = data;
	int fd = socket(wish->domain, wish->type | SOCK_CLOEXEC, wish->protocol);

	return fd < 0 ? -errno : fd;
}

int rootless_host_socket(int domain, int type, int protocol)
{
	struct wish wish = {domain, type, protocol};

	return rootless_on_host(make_socket, &wish);
}

const char *rootless_host_proc_net(void)
{
	static char path[48];

	if (!has_left_host())
		return "/proc/thread-self/net";
	snprintf(path, sizeof(path), "/proc/self/task/%d/net", host.thread);
	return path;
}

bool rootless_is_on_host(int pidfd)
{
	char path[64];
	struct stat theirs, ours;
	pid_t pid = rootless() ? process_pidfd_pid(pidfd) : -1;

	if (pid <= 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	if (stat(path, &theirs) < 0)
		return false;
	if (has_left_host())
		snprintf(path, sizeof(path), "/proc/self/task/%d/ns/net", host.thread);
	else
		snprintf(path, sizeof(path), "/proc/self/ns/net");
	return stat(path, &ours) == 0 && ours.st_ino == theirs.st_ino &&
	       ours.st_dev == theirs.st_dev;
}

const char *rootless_group_range(void)
{
	static char range[32] = "0 2147483647";

	if (rootless())
		snprintf(range, sizeof(range), "0 %u", place.last_gid);
	return range;
}

int rootless_id_error(uid_t uid, gid_t gid, const char *what, struct error *err)
{
	if (errno != EINVAL || !rootless())
		return error_errno(err, "%s %u:%u", what, (unsigned int)uid, (unsigned int)gid);
	return error_set(
		err, EINVAL,
		"%s %u:%u: ids of this user's containers end at %u:%u; more of them, as root: "
		"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER, and then "
		"`berth down` of what runs",
		what, (unsigned int)uid, (unsigned int)gid, place.last_uid, place.last_gid);
}
