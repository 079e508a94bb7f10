/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_CONTAINER_SPEC_H
#define RUNTIME_CONTAINER_SPEC_H

/*
 * spec.h - one container, in the words of the OCI runtime-spec, with descriptors where that has
 * paths.
 *
 * Plain data, wholly decided before the birth: between clone3 and execve nothing is allocated,
 * looked up or logged. Everything here is borrowed by the functions that take a spec and stays
 * the caller's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "common/error.h"

/* One namespace: made new, the supervisor's own (host), or another container's. */
enum namespace_source { NAMESPACE_NEW, NAMESPACE_HOST, NAMESPACE_JOIN };

struct namespace_spec {
	enum namespace_source source;
	int fd; /* JOIN: an open namespace file; the caller's */
};

/*
 * A mount of the caller's making (volume, bind, tmpfs, secret, /etc/hosts): a detached mount that
 * is moved onto @target, which is resolved inside the root and made when it is missing.
 */
struct mount_spec {
	int fd;             /* from open_tree(OPEN_TREE_CLONE) or fsmount() */
	const char *target; /* inside the container */
	bool directory;     /* what to make of a missing target */
};

struct rlimit_spec {
	int resource; /* RLIMIT_NOFILE */
	struct rlimit limit;
};

struct sysctl_spec {
	const char *path; /* "net/ipv4/ip_forward", below /proc/sys */
	const char *value;
};

struct device_spec {
	const char *path; /* inside the container */
	char type;        /* 'c' or 'b' */
	unsigned int major, minor;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	const char *host; /* outside, for who may not make nodes but may bind this one */
};

struct device_rule {
	char type;            /* 'a', 'b', 'c' */
	int64_t major, minor; /* -1: any */
	char access[4];       /* of "rwm" */
	bool allow;
};

enum block_rate {
	BLOCK_READ_BPS,
	BLOCK_WRITE_BPS,
	BLOCK_READ_IOPS,
	BLOCK_WRITE_IOPS,
	BLOCK_RATES,
};

struct block_limit {
	unsigned int major, minor;
	enum block_rate kind; /* of a rate */
	int64_t value;        /* a second; or a weight, 10 to 1000 */
};

/* cgroup limits; a field that is not set (or negative) leaves the kernel's default. */
struct resources_spec {
	int64_t memory_bytes; /* 0: none */
	int64_t memory_reservation_bytes;
	int64_t memory_swap_bytes; /* memory + swap, as Docker counts; -1: unlimited */
	int64_t memory_swappiness; /* -1: unset */
	bool oom_kill_disable;
	int64_t pids;                            /* 0: none */
	int64_t cpu_quota_usec, cpu_period_usec; /* 0: none */
	int64_t cpu_shares;                      /* 0: default; v1 scale, converted for v2 */
	int64_t cpu_rt_runtime_usec, cpu_rt_period_usec;
	const char *cpuset_cpus, *cpuset_mems;
	int64_t block_weight; /* 0: the default */
	const struct block_limit *block_weights, *block_rates;
	size_t block_weight_count, block_rate_count;
	const struct device_rule *device_rules; /* on top of the default ones */
	size_t device_rule_count;
	bool all_devices; /* privileged */
};

struct rootfs_spec {
	/* Topmost layer first: directories to stack by overlayfs, O_PATH or O_RDONLY fds. */
	const int *layer_fds;
	size_t layer_count;
	int upper_fd,
		work_fd; /* of one file system; -EBADF with read_only and no upper: layers only */
	bool read_only;
	int userns_fd; /* -EBADF: none; else the root is idmapped to it */
	/*
	 * What is written becomes a layer: no redirects, which only this mount would understand,
	 * and no syncing, which whoever keeps the layer does once.
	 */
	bool becomes_layer;
};

#define CAPABILITY_MASK_DOCKER_DEFAULT UINT64_C(0xa80425fb)

struct container_spec {
	const char *id; /* 64 hex */

	/* process */
	const char *const *args; /* args[0] is looked up along PATH of @env inside the root */
	const char *const *env;  /* HOME is added when it is not there */
	const char *cwd;         /* made when it is missing */
	const char *user; /* "", "uid", "name", "uid:gid", "name:group": resolved in the root */
	const char *const *groups; /* additional, names or numbers */
	bool terminal;             /* make a pty in the container; its master comes back */
	int stdin_fd, stdout_fd,
		stderr_fd;     /* moved to 0, 1, 2; -EBADF: /dev/null (with no terminal) */
	uint64_t capabilities; /* mask of CAP_x bits */
	bool no_new_privileges;
	const struct rlimit_spec *rlimits;
	size_t rlimit_count;
	int oom_score_adj;
	bool set_oom_score_adj;
	bool init; /* run under our own tiny init (reaps, forwards signals) */
	/*
	 * What the program has from descriptor 3 on, sd_listen_fds(3). LISTEN_PID of @env, ten
	 * characters wide, is filled in with the pid that it comes to have. Not for an exec.
	 */
	const int *listen_fds;
	size_t listen_count; /* LISTEN_FDS_MAX at most */

	/* namespaces */
	struct namespace_spec network, pid, ipc, uts, cgroup;
	bool user_namespace; /* (rootless and userns_mode: later) */
	bool time_namespace;
	const char *hostname, *domainname;
	const struct sysctl_spec *sysctls;
	size_t sysctl_count;
	/*
	 * Called in the child, inside its network namespace, before the root is changed. Syscalls
	 * only. It may leave descriptors to hand to the parent (DNS sockets) in @ret_fds (up to
	 * NETWORK_HOOK_FDS, *ret_count). NULL: nothing to do but `lo` up in a new namespace.
	 */
	int (*network_hook)(const void *data, int *ret_fds, size_t *ret_count, struct error *err);
	const void *network_data;

	/* file system */
	struct rootfs_spec rootfs;
	const struct mount_spec *mounts; /* in order */
	size_t mount_count;
	const struct device_spec *devices; /* besides the default ones */
	size_t device_count;
	bool all_devices;  /* privileged: the host's /dev nodes */
	int64_t shm_bytes; /* of a private /dev/shm; 0: 64 MiB */
	int shm_fd;        /* detached mount of a shared /dev/shm; -EBADF: private */
	/*
	 * With a joined ipc namespace: pidfd of the container whose /dev/shm this one has as well,
	 * as it is there; 0 or less: see shm_fd. (A detached mount can be attached only once, and
	 * copied only since Linux 6.15.)
	 */
	int shm_container;
	bool proc_unmasked; /* privileged, or systempaths=unconfined */
	bool sys_writable;  /* privileged */
	bool cgroup_writable;
	/*
	 * /sys/fs/cgroup is the container's v2 group, also where the machine's controllers are
	 * v1's: what systemd can live with anywhere. Needs a cgroup namespace of its own.
	 */
	bool cgroup_unified;
	const char *propagation; /* of the root: NULL is "rprivate"; "rslave", "rshared" */

	/* confinement */
	const void *seccomp_program; /* struct sock_fprog *; NULL: unconfined. See seccomp.h */
	const char *apparmor_profile, *selinux_label;

	/* cgroup: made by cgroup_create(); joined by the child itself, or by CLONE_INTO_CGROUP */
	const struct cgroup *cgroup_handle;
};

#define NETWORK_HOOK_FDS 4
#define LISTEN_FDS_MAX   16

#endif
