/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_CONTAINER_BIRTH_H
#define RUNTIME_CONTAINER_BIRTH_H

/*
 * birth.h - the child's side of a birth: a table of steps between clone3 and execve.
 *
 * Steps make system calls and format errors on the stack; they never allocate, log, lock or ask
 * NSS. What they open they need not close: nothing but stdin, stdout and stderr survives the end
 * of the table. The process is not dumpable, so that nobody in the container's pid namespace can
 * look into it, or at the program it was cloned from, through /proc.
 */

#include "runtime/container/container.h"

#define BIRTH_GROUPS_MAX 256

/* What the parent made ready before the clone; the child reads its own copy of that memory. */
struct birth_plan {
	const struct container_spec *spec;
	int report_fd, release_fd; /* the child's ends */
	int init_fd;               /* sealed memfd of the program in pid1/, see pid1.h */
	bool exec;                 /* into a container that there is, not a new one */
	bool own_child;            /* does not wait to be let go, and dies with its parent */
	int container_pidfd;       /* of an exec */
	int join;                  /* of an exec: namespaces_of_container() */
	bool on_host;              /* in the host's network, as its parent is */
	const char **argv;         /* BIRTH_ARGV_EXTRA free slots, args, NULL */
	const char **env;          /* env, a free slot for HOME, NULL */
	size_t env_count;
};
#define BIRTH_ARGV_EXTRA 4

enum birth_message_kind {
	BIRTH_MESSAGE_READY = 1,    /* descriptors come along: pty master first if there is one */
	BIRTH_MESSAGE_FAILED,       /* error and exit status */
	BIRTH_MESSAGE_NOT_EXECUTED, /* from pid1/: execve's errno, and the path in error.message */
	BIRTH_MESSAGE_NOT_RELEASED, /* the parent died before it let us go */
};

/* pid1/init.c writes the third kind up to error.message's first bytes: keep the layout. */
struct birth_message {
	uint32_t kind;
	int32_t exit_status;
	uint32_t has_pty;
	struct error error;
};

/* Who the process becomes; from the root's /etc/passwd and /etc/group. */
struct account {
	uid_t uid;
	gid_t gid;
	gid_t groups[BIRTH_GROUPS_MAX];
	size_t group_count;
	char home[1024];
};

struct newborn {
	const struct container_spec *spec;
	const struct birth_plan *plan;
	int exit_status; /* of a failure: Docker's 125, of an exec 126, or as the failing step says
			  */

	int root_fd; /* the root, as a mount */
	bool own_mount_namespace;
	int proc_fd, sys_fd, dev_fd, pts_fd;
	int shm_fd; /* another container's, to be shared */
	int null_fd;
	int pty_master, pty_slave;
	int network_fds[NETWORK_HOOK_FDS];
	size_t network_fd_count;
	int cgroup_trees[16];
	const char *cgroup_names[16];
	size_t cgroup_tree_count;
	int lsm_fd; /* the directory of "exec", where the next execve's label is written */

	struct account account;
	bool in_cwd;
	char home[1100]; /* "HOME=..." */
	char program[4096];
};

typedef int birth_step(struct newborn *self, struct error *err);

/*
 * Which namespaces of a container's an exec joins, for setns(2). Before the clone. @time: whether
 * this kernel has time namespaces.
 */
int namespaces_of_container(int pidfd, bool time);

/* Runs the steps of a container or of an exec; does not return. */
_Noreturn void birth_run(const struct birth_plan *plan);

/* The steps, by file. */
birth_step namespaces_enter, namespaces_enter_container, namespaces_network, namespaces_names;
birth_step rootfs_step_make, rootfs_step_attach, rootfs_step_pivot, rootfs_step_seal;
birth_step mounts_gather, mounts_take_shm, mounts_kernel, mounts_given, mounts_mask;
birth_step devices_populate;
birth_step stdio_open_null, stdio_make_pty, stdio_join_pty, stdio_take;
birth_step account_resolve;
birth_step program_cwd, program_cwd_as_user, program_find;
birth_step credentials_oom_score, credentials_drop, credentials_seal;
birth_step lsm_open;

/* Finds uid, gid, groups and home of "user[:group]" in @rootfd (syscalls only). */
int account_find(int rootfd, const char *user, const char *const *groups, struct account *ret,
		 struct error *err);

#endif
