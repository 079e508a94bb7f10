// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/rootless/rootless_lost.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/process.h"
#include "common/rootless.h"
#include "common/str.h"

#include "compose/cli/rootless/rootless.h"
#include "compose/control/requests.h"

#define ENVIRONMENT_MAX (256 << 10)
#define RENEW_MSEC      3000

typedef bool matches_process(const char *pid, const char *what, const char *path);

/* The @n-th of the words in a file of proc, each ended by a zero; NULL: so many are not there. */
static const char *word(const char *text, size_t length, size_t n)
{
	const char *at = text, *end = text + length;

	while (n-- > 0 && at < end)
		at += strnlen(at, (size_t)(end - at)) + 1;
	return at < end ? at : NULL;
}

static char *read_proc(const char *pid, const char *name, size_t *ret_length)
{
	_cleanup_free_ char *path = str_printf("/proc/%s/%s", pid, name);
	struct error ignored = ERROR_INIT;
	char *text = NULL;

	if (fs_read(AT_FDCWD, path, ENVIRONMENT_MAX, &text, ret_length, &ignored) < 0)
		return NULL;
	return text;
}

static bool is_berth(const char *pid, const char *command, const char *path)
{
	size_t size = 0;
	_cleanup_free_ char *line = read_proc(pid, "cmdline", &size);
	_cleanup_free_ char *environment = NULL;

	if (!line || !str_equal(word(line, size, 0), "berth") ||
	    !str_equal(word(line, size, 1), command))
		return false;
	environment = read_proc(pid, "environ", &size);
	for (size_t i = 0; environment; i++) {
		const char *entry = word(environment, size, i);
		int n = 0;

		if (!entry)
			break;
		if (sscanf(entry, ROOTLESS_VARIABLE "=%*u:%*d:%n", &n) == 0 && n &&
		    str_equal(entry + n, path))
			return true;
	}
	return false;
}

static bool is_pasta(const char *pid, const char *unused, const char *netns)
{
	size_t size = 0;
	_cleanup_free_ char *line = read_proc(pid, "cmdline", &size);
	const char *at;

	if (!line || !str_equal(word(line, size, 0), "pasta"))
		return false;
	for (size_t i = 1; (at = word(line, size, i)); i++)
		if (str_equal(at, netns))
			return true;
	return false;
}

static int find(matches_process *matches, const char *what, const char *path)
{
	_cleanup_dir_ DIR *dir = opendir("/proc");
	const struct dirent *entry;
	uid_t user = geteuid();

	while (dir && (entry = readdir(dir))) {
		_cleanup_close_ int pidfd = -EBADF;
		struct stat st;

		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    fstatat(dirfd(dir), entry->d_name, &st, 0) < 0 || st.st_uid != user)
			continue;
		/* Opened before it is looked at, so that it is the one which was looked at. */
		pidfd = process_pidfd_open(atoi(entry->d_name));
		if (pidfd >= 0 && matches(entry->d_name, what, path))
			return TAKE_FD(pidfd);
	}
	return -ESRCH;
}

int rootless_lost_process(const char *path, const char *command)
{
	return find(is_berth, command, path);
}

/* Known by its file system, for without a mount it has no name. */
static int open_network(int fds, const char *name)
{
	_cleanup_close_ int fd = -EBADF;
	struct stat ours, there;

	if (stat("/proc/self/ns/net", &ours) < 0 || fstatat(fds, name, &there, 0) < 0 ||
	    ours.st_dev != there.st_dev)
		return -ESRCH;
	fd = openat(fds, name, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET ? TAKE_FD(fd) : -ESRCH;
}

int rootless_lost_network(const char *path)
{
	_cleanup_close_ int keeper = rootless_lost_process(path, KEEPER_COMMAND);
	_cleanup_free_ char *fds = str_printf("/proc/%d/fd", process_pidfd_pid(keeper));
	_cleanup_dir_ DIR *dir = keeper >= 0 ? opendir(fds) : NULL;
	const struct dirent *entry;
	int fd = -ESRCH;

	while (dir && fd < 0 && (entry = readdir(dir)))
		fd = open_network(dirfd(dir), entry->d_name);
	return fd;
}

int rootless_lost_pasta(const char *netns)
{
	return find(is_pasta, NULL, netns);
}

int rootless_lost_renew(int directory, const char *path, struct error *err)
{
	_cleanup_close_ int holder = rootless_lost_process(path, ROOTLESS_COMMAND);
	_cleanup_close_ int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd polls[] = {{watch, POLLIN}, {holder, POLLIN}};

	if (holder < 0)
		return 0;
	if (watch < 0 || inotify_add_watch(watch, path, IN_MOVED_TO) < 0)
		return error_errno(err, "watch %s", path);
	if (process_pidfd_signal(holder, SIGHUP) < 0)
		return 0;
	while (faccessat(directory, ROOTLESS_HOLDER, F_OK, 0) < 0) {
		char buffer[4096];

		if (poll(polls, ARRAY_SIZE(polls), RENEW_MSEC) <= 0)
			return error_set(
				err, ETIMEDOUT,
				"%s was removed, and process %d, which holds the "
				"namespaces of what runs, does not make it anew; in them it "
				"may be that of another file system",
				path, process_pidfd_pid(holder));
		if (polls[1].revents)
			return 0;
		(void)!read(watch, buffer, sizeof(buffer));
	}
	return 1;
}
