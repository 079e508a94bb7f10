/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_CONTAINER_CLONE_H
#define RUNTIME_CONTAINER_CLONE_H

/*
 * clone.h - clone3(2): with a copy of the caller's memory, or in that memory itself.
 */

#include <linux/sched.h>
#include <stdbool.h>
#include <sys/types.h>

/* As fork(2): twice, 0 in the child. -1 and errno. */
pid_t clone_copy(struct clone_args *args);

/*
 * As vfork(2), but that only the calling thread waits for the child's execve or end: which runs
 * @run on the stack that @args name, and must not return from it. It may write to what the caller
 * has in its memory, errno among it. -1 and errno: -ENOSYS where clone_can_share() is false.
 */
pid_t clone_shared(struct clone_args *args, void (*run)(void *data), void *data);
bool clone_can_share(void);

#endif
