// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/view/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/process.h"

static struct termios saved_terminal, our_terminal;
static bool terminal_is_changed;
static volatile sig_atomic_t resumes;

void terminal_restore(void)
{
	if (terminal_is_changed && terminal_is_ours(STDIN_FILENO))
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved_terminal);
	terminal_is_changed = false;
}

void terminal_leave_to_parent(void)
{
	terminal_is_changed = false;
}

bool terminal_is_ours(int fd)
{
	pid_t foreground = tcgetpgrp(fd);

	/* Not our session's terminal, or none at all: nobody could take it from us. */
	return foreground < 0 || foreground == getpgrp();
}

static void restore_and_leave(int signal)
{
	terminal_restore();
	_exit(128 + signal);
}

void terminal_regain(void)
{
	/* With `bg` it stays the shell's. */
	if (terminal_is_changed && terminal_is_ours(STDIN_FILENO))
		tcsetattr(STDIN_FILENO, TCSADRAIN, &our_terminal);
}

/*
 * Only what a signal handler may call (signal-safety(7)). The signal's own action is what stops us:
 * the kernel passes over it where no shell is there that could make us go on.
 */
static void restore_and_stop(int signal)
{
	static const struct sigaction stop = {.sa_handler = SIG_DFL};
	struct sigaction ours;
	sigset_t set, blocked;
	int before = errno;

	if (terminal_is_changed && terminal_is_ours(STDIN_FILENO))
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved_terminal);
	sigaction(signal, &stop, &ours);
	(void)kill(getpid(), signal);
	sigemptyset(&set);
	sigaddset(&set, signal);
	sigprocmask(SIG_UNBLOCK, &set, &blocked);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	sigaction(signal, &ours, NULL);
	terminal_regain();
	errno = before;
}

static void resume(int signal)
{
	int before = errno;

	resumes++;
	terminal_regain();
	errno = before;
}

unsigned int terminal_resumes(void)
{
	static const struct sigaction action = {.sa_handler = resume, .sa_flags = SA_RESTART};
	static bool watched;

	if (!watched)
		sigaction(SIGCONT, &action, NULL);
	watched = true;
	return (unsigned int)resumes;
}

/* Shells without job control, and nohup, have it ignored. */
static void stop_in_order(void)
{
	static const struct sigaction action = {.sa_handler = restore_and_stop,
						.sa_flags = SA_RESTART};
	struct sigaction before;

	if (sigaction(SIGTSTP, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
		sigaction(SIGTSTP, &action, NULL);
	(void)terminal_resumes();
}

static void change(bool raw)
{
	struct sigaction action = {.sa_handler = restore_and_leave};

	if (tcgetattr(STDIN_FILENO, &saved_terminal) < 0)
		return;
	our_terminal = saved_terminal;
	if (raw)
		cfmakeraw(&our_terminal);
	else
		our_terminal.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	stop_in_order();
	terminal_is_changed = true;
	if (terminal_is_ours(STDIN_FILENO) && tcsetattr(STDIN_FILENO, TCSADRAIN, &our_terminal) < 0)
		terminal_is_changed = false;
}

void terminal_make_raw(void)
{
	change(true);
}

void terminal_make_quick(void)
{
	change(false);
}

void terminal_copy_size(int master)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		(void)ioctl(master, TIOCSWINSZ, &size);
}

int terminal_watch_size(void)
{
	static const int signals[] = {SIGWINCH};

	return process_signals_fd(signals, ARRAY_SIZE(signals));
}

ssize_t terminal_copy_some(int from, int to)
{
	char buffer[32 << 10];
	ssize_t n = read(from, buffer, sizeof(buffer));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 1;
	if (n <= 0)
		return 0;
	return fd_write_all(to, buffer, (size_t)n) < 0 ? 0 : n;
}
