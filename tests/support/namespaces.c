// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/namespaces.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define REFUSED 125

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "in_namespaces: ended by signal %d\n", WTERMSIG(status));
	return -1;
}

static _Noreturn void refuse(const char *what)
{
	fprintf(stderr, "in_namespaces: %s: %s\n", what, strerror(errno));
	fflush(stderr);
	kill(getpid(), SIGKILL);
	_exit(REFUSED);
}

static _Noreturn void finish(int (*fn)(void *), void *data)
{
	int r = fn(data);

	fflush(NULL);
	/* exit() would run what Criterion registered; the leak check is what we want of it. */
#if defined(__SANITIZE_ADDRESS__)
	extern void __lsan_do_leak_check(void);

	__lsan_do_leak_check();
#endif
	_exit(r);
}

static void private_mounts(int flags)
{
	if (!(flags & CLONE_NEWNS))
		return;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		refuse("make / private");
	if (flags & CLONE_NEWPID && mount("proc", "/proc", "proc", 0, NULL) < 0)
		refuse("mount /proc");
}

static _Noreturn void child(int flags, int (*fn)(void *), void *data)
{
	pid_t pid;
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(flags) < 0)
		refuse("unshare");
	if (!(flags & CLONE_NEWPID)) {
		private_mounts(flags);
		finish(fn, data);
	}
	/* Only children are born into the new pid namespace. */
	pid = fork();
	if (pid < 0)
		refuse("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		private_mounts(flags);
		finish(fn, data);
	}
	r = wait_for(pid);
	if (r < 0)
		kill(getpid(), SIGKILL);
	_exit(r);
}

int in_namespaces(int flags, int (*fn)(void *), void *data)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0)
		child(flags, fn, data);
	return wait_for(pid);
}

static int nothing(void *data)
{
	return 0;
}

bool can_have_namespaces(int flags)
{
	return in_namespaces(flags, nothing, NULL) == 0;
}
