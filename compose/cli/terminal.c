// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "common/fd.h"

static struct termios saved_terminal;
static bool terminal_is_changed;

void terminal_restore(void)
{
	if (terminal_is_changed)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved_terminal);
	terminal_is_changed = false;
}

void terminal_leave_to_parent(void)
{
	terminal_is_changed = false;
}

static void restore_and_leave(int signal)
{
	terminal_restore();
	_exit(128 + signal);
}

static void change(bool raw)
{
	struct sigaction action = {.sa_handler = restore_and_leave};
	struct termios changed;

	if (tcgetattr(STDIN_FILENO, &saved_terminal) < 0)
		return;
	changed = saved_terminal;
	if (raw)
		cfmakeraw(&changed);
	else
		changed.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &changed) == 0)
		terminal_is_changed = true;
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
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
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
