/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_SUPPORT_NAMESPACES_H
#define TESTS_SUPPORT_NAMESPACES_H

/*
 * namespaces.h - unit tests that need namespaces of their own.
 *
 * Forks first: Criterion's process has two threads, which may not unshare a user namespace.
 */

#include <sched.h>
#include <stdbool.h>

/*
 * Runs @fn in a child with new namespaces (@flags: CLONE_NEW*). With CLONE_NEWPID it is process 1;
 * with CLONE_NEWNS all mounts are private, and /proc shows the new pid namespace if there is one.
 * Returns what @fn returned (0 to 255), -1 when a signal ended it or the namespaces were refused.
 */
int in_namespaces(int flags, int (*fn)(void *), void *data);

/* True when the namespaces can be had: tests skip otherwise. */
bool can_have_namespaces(int flags);

#endif
