// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/rootless/rootless_way.h"

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/process.h"
#include "common/rootless.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/rootless/rootless.h"
#include "compose/cli/rootless/rootless_lost.h"

#define PASTA_PID "pasta.pid"
#define PASTA_LOG "pasta.log"

/* So many that lived no longer: another one would not either. */
#define SHORT_LIVES_MOST 5
#define SHORT_LIFE_USEC  ((int64_t)USEC_PER_SEC)

pid_t rootless_way_pid(const struct rootless_way *way)
{
	_cleanup_free_ char *text = NULL;
	struct error ignored = ERROR_INIT;

	if (way->daemon >= 0)
		return process_pidfd_pid(way->daemon);
	if (fs_read(way->directory, PASTA_PID, 32, &text, NULL, &ignored) < 0)
		return 0;
	return atoi(text);
}

/* Perhaps of the holder before us: it is not our child, but its work is done all the same. */
void rootless_way_find(struct rootless_way *way)
{
	pid_t pid = rootless_way_pid(way);
	_cleanup_free_ char *path = str_printf("/proc/%d/comm", pid), *name = NULL;
	_cleanup_close_ int pidfd = pid > 0 ? process_pidfd_open(pid) : -ESRCH;
	struct error ignored = ERROR_INIT;

	if (pidfd >= 0 && fs_read(AT_FDCWD, path, 64, &name, NULL, &ignored) >= 0 &&
	    str_starts_with(name, "pas"))
		way->daemon = TAKE_FD(pidfd);
	if (way->daemon < 0) {
		_cleanup_free_ char *netns = str_printf("%s/" ROOTLESS_NETNS, way->path);

		way->daemon = rootless_lost_pasta(netns);
	}
}

static void tell(struct rootless_way *way, const char *why)
{
	struct error ignored = ERROR_INIT;

	(void)fs_replace(way->directory, ROOTLESS_WAY, why, strlen(why), FS_ATOMIC, &ignored);
}

/* Where the directory is another one now. */
void rootless_way_tell(struct rootless_way *way)
{
	_cleanup_free_ char *pid = str_printf("%d\n", process_pidfd_pid(way->daemon));
	struct error ignored = ERROR_INIT;

	if (way->daemon < 0)
		return;
	(void)fs_replace(way->directory, PASTA_PID, pid, strlen(pid), FS_ATOMIC, &ignored);
	tell(way, "");
}

/* A machine may get to its network late, or somewhere else. */
void rootless_way_watch(struct rootless_way *way)
{
	const struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
	};

	way->routes = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (way->routes >= 0 &&
	    bind(way->routes, (const struct sockaddr *)&address, sizeof(address)) < 0)
		cleanup_close_fd(&way->routes);
}

/*
 * No ports: those are sockets of the supervisors'. No way to the host's own loopback, which the
 * gateway's address would be: who publishes on 127.0.0.1 does not mean containers.
 */
static _Noreturn void exec_pasta(struct rootless_way *way)
{
	_cleanup_free_ char *netns = str_printf("%s/" ROOTLESS_NETNS, way->path);
	_cleanup_free_ char *pid = str_printf("%s/" PASTA_PID, way->path);
	char *argv[] = {"pasta",   "--config-net", "--quiet", "--no-map-gw", "-t",   "none", "-u",
			"none",    "-T",           "none",    "-U",          "none", "-P",   pid,
			"--netns", netns,          NULL};
	int log = openat(way->directory, PASTA_LOG, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (log >= 0)
		(void)dup2(log, STDERR_FILENO);
	execvp(argv[0], argv);
	if (errno == ENOENT)
		dprintf(STDERR_FILENO, "pasta is missing: install the package passt\n");
	else
		dprintf(STDERR_FILENO, "pasta: %s\n", strerror(errno));
	_exit(127);
}

void rootless_way_want(struct rootless_way *way)
{
	way->is_asked = true;
	if (way->daemon >= 0 || way->pasta)
		return;
	(void)unlinkat(way->directory, ROOTLESS_WAY, 0);
	way->begun_usec = units_monotonic_usec();
	way->pasta = fork();
	if (way->pasta == 0)
		exec_pasta(way);
	if (way->pasta < 0)
		tell(way, "pasta cannot be started");
}

/* The last line that it wrote. */
static void tell_failure(struct rootless_way *way)
{
	_cleanup_free_ char *log = NULL, *why = NULL;
	struct error ignored = ERROR_INIT;
	char *line;

	if (fs_read(way->directory, PASTA_LOG, 65536, &log, NULL, &ignored) < 0)
		log = alloc_string("");
	line = strrchr(str_trim(log), '\n');
	line = line ? line + 1 : log;
	why = str_starts_with(line, "pasta") ? alloc_string(line) : str_printf("pasta: %s", line);
	tell(way, why);
}

/* Somebody killed it; or it cannot live here: the next network or route may try once more. */
void rootless_way_lost(struct rootless_way *way)
{
	int64_t life_usec = units_monotonic_usec() - way->begun_usec;

	close(TAKE_FD(way->daemon));
	way->short_lives = life_usec < SHORT_LIFE_USEC ? way->short_lives + 1 : 0;
	if (way->short_lives < SHORT_LIVES_MOST) {
		rootless_way_want(way);
		return;
	}
	way->short_lives = 0;
	tell(way, "pasta ends as soon as it is up");
}

/* A default route that came up: what pasta lacked, perhaps. */
void rootless_way_read_routes(struct rootless_way *way)
{
	char buffer[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	bool is_new = false;
	ssize_t n;

	while ((n = recv(way->routes, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) {
		size_t left = (size_t)n;

		for (struct nlmsghdr *m = (struct nlmsghdr *)buffer; NLMSG_OK(m, left);
		     m = NLMSG_NEXT(m, left)) {
			const struct rtmsg *route = NLMSG_DATA(m);

			is_new = is_new || (m->nlmsg_type == RTM_NEWROUTE && !route->rtm_dst_len);
		}
	}
	if (is_new && way->is_asked)
		rootless_way_want(way);
}

bool rootless_way_reaped(struct rootless_way *way, pid_t pid, int status)
{
	if (pid != way->pasta)
		return false;
	way->pasta = 0;
	if (status == 0) {
		rootless_way_find(way);
		tell(way, "");
	} else {
		tell_failure(way);
	}
	return true;
}

void rootless_way_end(struct rootless_way *way)
{
	pid_t pasta = way->pasta ?: rootless_way_pid(way);

	if (way->daemon >= 0)
		(void)process_pidfd_signal(way->daemon, SIGKILL);
	if (pasta > 0)
		kill(pasta, SIGKILL);
	(void)unlinkat(way->directory, ROOTLESS_WAY, 0);
	(void)unlinkat(way->directory, PASTA_PID, 0);
	(void)unlinkat(way->directory, PASTA_LOG, 0);
}
