// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/process.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fd.h"

int process_pidfd_open(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

int process_pidfd_signal(int pidfd, int signal)
{
	return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

/* The first bytes of a small file, as a string. */
static int read_start(const char *path, char *text, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = fd_read_full(fd, text, size - 1);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	return 0;
}

pid_t process_pidfd_pid(int pidfd)
{
	char path[64], text[512];
	const char *field;
	long pid;
	int r;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	r = read_start(path, text, sizeof(text));
	if (r < 0)
		return r;
	field = strstr(text, "\nPid:");
	if (!field)
		return -EBADF;
	/* -1 once it was reaped, 0 when it is of a pid namespace that we do not see. */
	pid = strtol(field + strlen("\nPid:"), NULL, 10);
	return pid > 0 ? (pid_t)pid : -ESRCH;
}

/* A number of /proc/PID/stat, by its field's number in proc(5). */
static int stat_field(pid_t pid, int number, uint64_t *ret)
{
	char path[32], text[1024], *at, *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (read_start(path, text, sizeof(text)) < 0)
		return -ESRCH;
	/* The second field is the program's name, in parentheses that it may contain itself. */
	at = strrchr(text, ')');
	for (int field = 2; at && field < number; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return -EIO;
	errno = 0;
	*ret = strtoull(at, &end, 10);
	return errno || end == at ? -EIO : 0;
}

int process_start_time(pid_t pid, uint64_t *ret_ticks)
{
	return stat_field(pid, 22, ret_ticks);
}

pid_t process_parent(pid_t pid)
{
	uint64_t parent;
	int r = stat_field(pid, 4, &parent);

	return r < 0 ? r : (pid_t)parent;
}

int process_adopt(pid_t pid, uint64_t start_ticks)
{
	_cleanup_close_ int pidfd = -EBADF;
	uint64_t ticks;

	if (pid <= 0)
		return -ESRCH;
	pidfd = process_pidfd_open(pid);
	if (pidfd < 0)
		return pidfd;
	/* Asked after the pidfd was opened: had the pid changed hands before, the time shows it. */
	if (process_start_time(pid, &ticks) < 0 || ticks != start_ticks)
		return -ESRCH;
	return TAKE_FD(pidfd);
}

const char *process_boot_id(void)
{
	static char id[37];

	if (!id[0] && read_start("/proc/sys/kernel/random/boot_id", id, sizeof(id)) < 0)
		id[0] = '\0';
	return id;
}

static int signal_from_number(const char *text, int base, int sign)
{
	char *end;
	long number;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	number = strtol(text, &end, 10);
	if (errno || *end || number > SIGRTMAX)
		return -EINVAL;
	number = base + sign * number;
	return number >= 1 && number <= SIGRTMAX ? (int)number : -EINVAL;
}

static int realtime_signal(const char *name)
{
	int signal = -EINVAL;

	if (strcasecmp(name, "RTMIN") == 0)
		return SIGRTMIN;
	if (strcasecmp(name, "RTMAX") == 0)
		return SIGRTMAX;
	if (strncasecmp(name, "RTMIN+", 6) == 0)
		signal = signal_from_number(name + 6, SIGRTMIN, 1);
	else if (strncasecmp(name, "RTMAX-", 6) == 0)
		signal = signal_from_number(name + 6, SIGRTMAX, -1);
	return signal >= SIGRTMIN ? signal : -EINVAL;
}

int process_signal_from_name(const char *name)
{
	static const struct {
		const char *name;
		int signal;
	} aliases[] = {{"IOT", SIGABRT}, {"CLD", SIGCHLD}, {"IO", SIGIO}, {"POLL", SIGPOLL}};

	if (isdigit((unsigned char)name[0]))
		return signal_from_number(name, 0, 1);
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	for (int signal = 1; signal < NSIG; signal++) {
		const char *known = sigabbrev_np(signal);

		if (known && strcasecmp(known, name) == 0)
			return signal;
	}
	array_foreach(alias, aliases) {
		if (strcasecmp(alias->name, name) == 0)
			return alias->signal;
	}
	return realtime_signal(name);
}

const char *process_signal_name(int signal)
{
	static char names[NSIG][24];
	const char *known;

	if (signal < 1 || signal >= NSIG)
		return "SIG?";
	if (names[signal][0])
		return names[signal];
	known = sigabbrev_np(signal);
	if (known)
		snprintf(names[signal], sizeof(names[signal]), "SIG%s", known);
	else if (signal == SIGRTMIN)
		return "SIGRTMIN";
	else if (signal == SIGRTMAX)
		return "SIGRTMAX";
	else
		snprintf(names[signal], sizeof(names[signal]), "SIGRTMIN+%d", signal - SIGRTMIN);
	return names[signal];
}

int process_signals_fd(const int *signals, size_t count)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < count; i++)
		sigaddset(&set, signals[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

bool process_is_outdated(void)
{
	static const char mark[] = " (deleted)"; /* proc_pid_exe(5) */
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	size_t length = n > 0 ? (size_t)n : 0, suffix = sizeof(mark) - 1;

	if (length <= suffix || memcmp(path + length - suffix, mark, suffix) != 0)
		return false;
	path[length - suffix] = 0;
	return access(path, X_OK) == 0;
}
