// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/process.h"

static pid_t start_sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_NAME, "a) S 1 (b");
		for (;;)
			pause();
	}
	return pid;
}

Test(process, pidfds)
{
	_cleanup_close_ int pidfd = -EBADF, adopted = -EBADF;
	pid_t pid = start_sleeper();
	uint64_t ticks, again;

	pidfd = process_pidfd_open(pid);
	cr_assert_geq(pidfd, 0);
	cr_expect_eq(process_pidfd_pid(pidfd), pid);
	cr_assert_eq(process_start_time(pid, &ticks), 0);
	cr_expect_gt(ticks, 0);
	cr_expect_eq(process_adopt(pid, ticks + 1), -ESRCH);
	adopted = process_adopt(pid, ticks);
	cr_assert_geq(adopted, 0);
	/* Some time passes for a name with parentheses: the field is still the 22nd. */
	cr_expect_eq(process_start_time(pid, &again), 0);
	cr_expect_eq(again, ticks);

	cr_expect_eq(process_pidfd_signal(adopted, SIGKILL), 0);
	cr_expect_eq(poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, 10000), 1);
	cr_expect_eq(waitpid(pid, NULL, 0), pid);
	cr_expect_eq(process_pidfd_pid(pidfd), -ESRCH);
	cr_expect_eq(process_pidfd_signal(pidfd, 0), -ESRCH);
	cr_expect_eq(process_adopt(pid, ticks), -ESRCH);
	cr_expect_eq(process_adopt(0, ticks), -ESRCH);
	cr_expect_eq(process_pidfd_pid(STDIN_FILENO), -EBADF);
	cr_expect_eq(process_start_time(-1, &ticks), -ESRCH);
}

Test(process, boot_id)
{
	cr_expect_eq(strlen(process_boot_id()), 36);
}

Test(process, signals)
{
	const struct {
		const char *name;
		int signal;
		const char *canonical;
	} rows[] = {
		{"SIGTERM", SIGTERM, "SIGTERM"},
		{"term", SIGTERM, "SIGTERM"},
		{"sigKill", SIGKILL, "SIGKILL"},
		{"9", SIGKILL, "SIGKILL"},
		{"USR1", SIGUSR1, "SIGUSR1"},
		{"IOT", SIGABRT, "SIGABRT"},
		{"SIGWINCH", SIGWINCH, "SIGWINCH"},
		{"RTMIN", SIGRTMIN, "SIGRTMIN"},
		{"SIGRTMIN+3", SIGRTMIN + 3, "SIGRTMIN+3"},
		{"RTMAX-1", SIGRTMAX - 1, NULL},
		{"rtmax", SIGRTMAX, "SIGRTMAX"},
		{"37", 37, "SIGRTMIN+3"},
		{"0", -EINVAL, NULL},
		{"65", -EINVAL, NULL},
		{"99999999999", -EINVAL, NULL},
		{"", -EINVAL, NULL},
		{"SIG", -EINVAL, NULL},
		{"SIGNOPE", -EINVAL, NULL},
		{"RTMIN+99", -EINVAL, NULL},
		{"RTMIN+-1", -EINVAL, NULL},
		{"RTMAX-40", -EINVAL, NULL},
		{"9x", -EINVAL, NULL},
	};

	array_foreach(row, rows) {
		int signal = process_signal_from_name(row->name);

		cr_expect_eq(signal, row->signal, "%s: %d", row->name, signal);
		if (row->canonical)
			cr_expect_str_eq(process_signal_name(signal), row->canonical);
		if (signal > 0)
			cr_expect_eq(process_signal_from_name(process_signal_name(signal)), signal);
	}
	cr_expect_str_eq(process_signal_name(-1), "SIG?");
	cr_expect_str_eq(process_signal_name(1000), "SIG?");
}
