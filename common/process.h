/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_PROCESS_H
#define COMMON_PROCESS_H

/*
 * process.h - processes as pidfds; a pid on disk always stands with its start time.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

int process_pidfd_open(pid_t pid);               /* fd or -errno */
int process_pidfd_signal(int pidfd, int signal); /* 0 or -errno (-ESRCH: it is gone) */
pid_t process_pidfd_pid(int pidfd);              /* pid, -ESRCH when it was reaped */
/* Field 22 of /proc/PID/stat: clock ticks since boot. 0 or -errno. */
int process_start_time(pid_t pid, uint64_t *ret_ticks);
/* pid, 0 where it is of another pid namespace, or -errno (-ESRCH: it is gone). */
pid_t process_parent(pid_t pid);
/* A pidfd of the process with this pid and start time. -ESRCH: it is gone or another one. */
int process_adopt(pid_t pid, uint64_t start_ticks);
/* The kernel's boot id as 36 characters; constant until the next boot. */
const char *process_boot_id(void);

/*
 * Holds @signals back and gives a signalfd of them (nonblocking, the caller's), or -errno.
 */
int process_signals_fd(const int *signals, size_t count);

/* Whether another file lies at the path of our program by now: a newer version, mostly. */
bool process_is_outdated(void);

/* Number or name ("SIGTERM", "term", "RTMIN+3") to a signal, or -EINVAL. */
int process_signal_from_name(const char *name);
const char *process_signal_name(int signal); /* "SIGTERM"; a static text */

#endif
