/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_CONTAINER_CONTAINER_H
#define RUNTIME_CONTAINER_CONTAINER_H

/*
 * container.h - the parent's side of a birth. Never waits: the caller watches report_fd.
 *
 * A birth has three moments. container_clone() makes the process and returns at once; the child
 * then does its mounts, addresses and confinement by itself. When the caller has written down
 * pid and start time it lets the child go with container_release(); a caller that dies before
 * that closes the pipe and the child exits without having run anything. The child executes the
 * program, or reports why not: container_report() tells which, once report_fd is readable.
 */

#include "runtime/container/spec.h"

struct birth {
	int pidfd;
	pid_t pid;
	uint64_t start_ticks; /* process_start_time() */
	int release_fd;       /* -EBADF once released */
	int report_fd;        /* a socket: POLLIN when there is news; non-blocking */
};

enum birth_news {
	BIRTH_PENDING,  /* nothing yet: poll again */
	BIRTH_READY,    /* descriptors arrived: pty master and/or the network hook's */
	BIRTH_EXECUTED, /* the program runs */
	BIRTH_FAILED,   /* @err says why; exit_status is 126, 127 or 125 as Docker has it */
	BIRTH_ORPHANED, /* nobody let it go before the caller of container_clone() died */
};

struct birth_report {
	int pty_master; /* -EBADF: none; the caller's */
	int network_fds[NETWORK_HOOK_FDS];
	size_t network_fd_count;
	int exit_status; /* of a failed birth: 127 not found, 126 cannot execute, 125 else */
};

/*
 * Clones the container's first process. With @as_sibling the child's parent is the caller's
 * parent (CLONE_PARENT), which reaps it.
 */
int container_clone(const struct container_spec *spec, bool as_sibling, struct birth *ret,
		    struct error *err);

/*
 * What of @spec this process is not allowed to give, though the container runs: limits above our
 * own, a lower oom_score_adj, device rules. True and a text ("...; ...") when there is anything;
 * for the caller to log once.
 */
bool container_lacks(const struct container_spec *spec, char *text, size_t size);

/* Lets the child go on to execve. 0 or -errno (-EPIPE: it is gone). */
int container_release(struct birth *birth);

/*
 * Reads what the child reported. BIRTH_READY may come before BIRTH_EXECUTED or _FAILED, with the
 * descriptors in @report, and comes again until container_report_taken(): a copy of report_fd that
 * outlives the caller has them for whoever comes after it. Negative only for our own failures.
 */
int container_report(struct birth *birth, struct birth_report *report, struct error *err);
void container_report_taken(struct birth *birth);
/* The same, and waits for news until @until_usec (units_monotonic_usec()). */
int container_report_wait(struct birth *birth, int64_t until_usec, struct birth_report *report,
			  struct error *err);

/* Closes what is open; the child, if not released, exits. */
void birth_done(struct birth *birth);

/*
 * exec: one more process in a running container, by its pidfd; the same three moments.
 * From @spec it takes the process part only (args to no_new_privileges, seccomp, rlimits,
 * terminal and stdio) and the cgroup.
 */
int container_exec(int container_pidfd, const struct container_spec *spec, bool as_sibling,
		   struct birth *ret, struct error *err);

/*
 * The same for a process that stays the caller's child, dies with it, and runs at once: there is
 * nothing to release. @channel, both ends of what it would report by, is the caller's to close;
 * {-EBADF, -EBADF} is filled, and that of a child which has ended, and had run, does for another.
 * Its pid, or negative.
 *
 * With @room, nothing of the caller is copied: until its execve the child runs in the caller's
 * memory, on the stack that @room has, and the calling thread waits. That can be long: the
 * container may be frozen, or its files come from afar. *ret_pid is there before the child runs.
 * Only where container_exec_can_share(), and for a caller that is not dumpable, for the child is
 * seen in the container.
 */
struct exec_room {
	void *stack;
	size_t stack_size;
	pid_t *ret_pid;
};
bool container_exec_can_share(const struct container_spec *spec);
pid_t container_exec_child(int container_pidfd, const struct container_spec *spec, int *channel,
			   const struct exec_room *room, struct error *err);
/* Once that has ended: BIRTH_EXECUTED, or BIRTH_FAILED as container_report() has it. */
int container_child_report(const int *channel, struct birth_report *report, struct error *err);

/* An fd of a namespace of a process: "net", "pid", "ipc", "uts", "mnt", "cgroup". */
int container_namespace(int pidfd, const char *kind, struct error *err);

/* Window size of a pty. 0 or -errno. */
int container_resize(int pty_master, unsigned short rows, unsigned short columns);

/*
 * main() of the tiny init of `init: true` is reached without a file on the host's side being
 * visible in the container: the child runs it from its own memory (see pid1.h).
 */

#endif
