/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_CONTAINER_CGROUP_CGROUP_H
#define RUNTIME_CONTAINER_CGROUP_CGROUP_H

/*
 * cgroup.h - the container's control group, on v2, v1 and hybrid machines alike.
 *
 * The layout is found once: one v2 hierarchy, or one directory a v1 controller. Containers stand
 * at BASE/ID, where BASE is "berth/PROJECT" below the caller's own cgroup where it may write
 * there (a delegated unit), else below the root. A v1 controller nobody needs a limit of is not
 * touched, since each costs time: pids and memory accounting and the freezer are the exceptions
 * that stats, OOM reports and pause need.
 *
 * A BASE of CGROUP_ELSEWHERE and a path counts from the root of v2: a group that systemd gave us
 * besides, a scope in another slice. It is there, and it is not ours to remove.
 */

#define CGROUP_ELSEWHERE "//"

#include "runtime/container/spec.h"

struct cgroup;

struct cgroup_stats {
	uint64_t cpu_usec, cpu_system_usec;
	uint64_t memory_bytes, memory_limit_bytes, memory_cache_bytes;
	uint64_t pids, pids_limit;
	uint64_t read_bytes, write_bytes;
};

/* Whether cgroup_create() takes it as a name, of a base or an id: -EINVAL. */
int cgroup_check_name(const char *name, struct error *err);
/* "berth/PROJECT" or what the user asked for by cgroup_parent. Makes ID below it with limits. */
int cgroup_create(const char *base, const char *id, const struct resources_spec *resources,
		  struct cgroup **ret, struct error *err);
/*
 * Opens an existing one (after the supervisor was restarted). -ENOENT: there is none. @pid, where
 * it is not 0, is in it: on v2 it is found below whatever was delegated to the supervisor before
 * us, a scope or another unit.
 */
int cgroup_open(const char *base, const char *id, pid_t pid, struct cgroup **ret,
		struct error *err);
/*
 * Whatever there may be of it, in any hierarchy, for cgroup_remove() and cgroup_kill(): a crash may
 * have left a part. Without looking.
 */
int cgroup_remains(const char *base, const char *id, struct cgroup **ret, struct error *err);
/* Names of the groups below BASE, in whichever hierarchy; each once. */
int cgroup_list(const char *base, char ***ret_ids, struct error *err);
/*
 * If it is below @base, cgroup_remove() leaves that itself to cgroup_remove_base(): the next
 * container may be about to enter what it shares with the others there.
 */
void cgroup_keep_base(struct cgroup *cgroup, const char *base);
/* BASE itself, where it is empty. */
void cgroup_remove_base(const char *base);
/* Applies limits to a living one; what @resources does not limit has no limit any more. */
int cgroup_update(struct cgroup *cgroup, const struct resources_spec *resources, struct error *err);
/* The same where its controllers were taken away: a unit's group was made room in, on v2. */
int cgroup_restore(struct cgroup *cgroup, const struct resources_spec *resources,
		   struct error *err);
void cgroup_free(struct cgroup *cgroup); /* the handle, not the group */

/* Kills everything in it (cgroup.kill, or signals in a loop on v1); does not wait. */
int cgroup_kill(struct cgroup *cgroup, struct error *err);
/* Removes it, and BASE when that is empty. -EBUSY: processes are still in it. */
int cgroup_remove(struct cgroup *cgroup, struct error *err);
int cgroup_freeze(struct cgroup *cgroup, bool frozen, struct error *err);
/* Signals every process in it. */
int cgroup_signal(struct cgroup *cgroup, int signal);
int cgroup_stats(struct cgroup *cgroup, struct cgroup_stats *ret, struct error *err);
/* How often the kernel killed for memory in it (memory.events oom_kill, or v1's oom_control). */
uint64_t cgroup_oom_kills(struct cgroup *cgroup);
/* pids in it; the caller's array. */
int cgroup_pids(struct cgroup *cgroup, pid_t **ret_pids, size_t *ret_count, struct error *err);

/* The device rules of cgroup_create() could not be set (v2, and bpf() is refused to us). */
bool cgroup_lacks_device_rules(const struct cgroup *cgroup);

/* It was to have limits, and there are no groups: none are delegated to this user. */
bool cgroup_lacks_limits(const struct cgroup *cgroup);

/* The v2 directory for CLONE_INTO_CGROUP, the caller's to close; -1 without v2. */
int cgroup_clone_fd(const struct cgroup *cgroup);
/*
 * The one that @pid, a process of the container, is in, which may be below the container's own:
 * once an init has made groups there with controllers, nobody may be put into the container's own.
 */
int cgroup_clone_fd_of(const struct cgroup *cgroup, pid_t pid);
/* It has a v2 group, whether or not the controllers are there. */
bool cgroup_is_unified(const struct cgroup *cgroup);
/* For the child: joins the v1 groups by itself. Syscalls only. 0 or -errno. */
int cgroup_join(const struct cgroup *cgroup);
/* Descriptors that cgroup_join() works with, into @fds; how many. */
size_t cgroup_join_fds(const struct cgroup *cgroup, int *fds, size_t room);
/*
 * Where the group is, as bytes for another process on this machine: its handle is good for
 * cgroup_clone_fd(), cgroup_clone_fd_of(), cgroup_join() and cgroup_join_fds().
 */
struct strbuf;
void cgroup_pack(const struct cgroup *cgroup, struct strbuf *buffer);
int cgroup_unpack(const char *bytes, size_t size, struct cgroup **ret, struct error *err);
/*
 * The @n-th of the container's own v1 groups as a detached mount (syscalls only), and the name of
 * its controller. -ENOENT: there are no more.
 */
int cgroup_tree(const struct cgroup *cgroup, size_t n, const char **ret_name);

#endif
