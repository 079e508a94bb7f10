/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_CONTAINER_PID1_H
#define RUNTIME_CONTAINER_PID1_H

/*
 * pid1.h - the small static program between us and the container's program.
 *
 * Built from pid1/init.c without a libc, embedded here, and executed from a sealed memfd. It runs
 * the container's program in its own place, or, for `init: true`, stays as process 1: reaps
 * orphans, forwards signals, and exits as the program did. Inside the container /proc/1/exe is
 * then those few kilobytes, never berth's own file.
 */

#include "common/error.h"

/* The memfd; made once a process, kept open, close-on-exec. */
int pid1_program(struct error *err);

#endif
