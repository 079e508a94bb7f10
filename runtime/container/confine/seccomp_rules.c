// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/container/confine/seccomp_rules.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/socket.h>

#include "common/cleanup.h"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define BIT(cap)  (UINT64_C(1) << (cap))
#define ADMIN     BIT(CAP_SYS_ADMIN)
/* CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET} */
#define CLONE_MASK 0x7e020000U

/* clang-format off */
static const char *const always[] = {
	"_llseek", "_newselect", "accept", "accept4", "access", "adjtimex", "alarm", "bind", "brk",
	"cachestat", "capget", "capset", "chdir", "chmod", "chown", "chown32", "clock_adjtime",
	"clock_adjtime64", "clock_getres", "clock_getres_time64", "clock_gettime",
	"clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64", "close", "close_range",
	"connect", "copy_file_range", "creat", "dup", "dup2", "dup3", "epoll_create",
	"epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait", "epoll_pwait2", "epoll_wait",
	"epoll_wait_old", "eventfd", "eventfd2", "execve", "execveat", "exit", "exit_group",
	"faccessat", "faccessat2", "fadvise64", "fadvise64_64", "fallocate", "fanotify_mark",
	"fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchown32", "fchownat", "fcntl",
	"fcntl64", "fdatasync", "fgetxattr", "flistxattr", "flock", "fork", "fremovexattr",
	"fsetxattr", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate",
	"ftruncate64", "futex", "futex_requeue", "futex_time64", "futex_wait", "futex_waitv",
	"futex_wake", "futimesat", "get_robust_list", "get_thread_area", "getcpu", "getcwd",
	"getdents", "getdents64", "getegid", "getegid32", "geteuid", "geteuid32", "getgid",
	"getgid32", "getgroups", "getgroups32", "getitimer", "getpeername", "getpgid", "getpgrp",
	"getpid", "getppid", "getpriority", "getrandom", "getresgid", "getresgid32", "getresuid",
	"getresuid32", "getrlimit", "getrusage", "getsid", "getsockname", "getsockopt", "gettid",
	"gettimeofday", "getuid", "getuid32", "getxattr", "getxattrat", "inotify_add_watch",
	"inotify_init", "inotify_init1", "inotify_rm_watch", "io_cancel", "io_destroy",
	"io_getevents", "io_pgetevents", "io_pgetevents_time64", "io_setup", "io_submit", "ioctl",
	"ioprio_get", "ioprio_set", "ipc", "kill", "landlock_add_rule", "landlock_create_ruleset",
	"landlock_restrict_self", "lchown", "lchown32", "lgetxattr", "link", "linkat", "listen",
	"listmount", "listxattr", "listxattrat", "llistxattr", "lremovexattr", "lseek",
	"lsetxattr", "lstat", "lstat64", "madvise", "map_shadow_stack", "membarrier",
	"memfd_create", "memfd_secret", "mincore", "mkdir", "mkdirat", "mknod", "mknodat", "mlock",
	"mlock2", "mlockall", "mmap", "mmap2", "mprotect", "mq_getsetattr", "mq_notify", "mq_open",
	"mq_timedreceive", "mq_timedreceive_time64", "mq_timedsend", "mq_timedsend_time64",
	"mq_unlink", "mremap", "mseal", "msgctl", "msgget", "msgrcv", "msgsnd", "msync", "munlock",
	"munlockall", "munmap", "name_to_handle_at", "nanosleep", "newfstatat", "open", "openat",
	"openat2", "pause", "pidfd_open", "pidfd_send_signal", "pipe", "pipe2", "pkey_alloc",
	"pkey_free", "pkey_mprotect", "poll", "ppoll", "ppoll_time64", "prctl", "pread64",
	"preadv", "preadv2", "prlimit64", "process_mrelease", "pselect6", "pselect6_time64",
	"pwrite64", "pwritev", "pwritev2", "read", "readahead", "readlink", "readlinkat", "readv",
	"recv", "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg", "remap_file_pages",
	"removexattr", "removexattrat", "rename", "renameat", "renameat2", "restart_syscall",
	"rmdir", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo",
	"rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64",
	"rt_tgsigqueueinfo", "sched_get_priority_max", "sched_get_priority_min",
	"sched_getaffinity", "sched_getattr", "sched_getparam", "sched_getscheduler",
	"sched_rr_get_interval", "sched_rr_get_interval_time64", "sched_setaffinity",
	"sched_setattr", "sched_setparam", "sched_setscheduler", "sched_yield", "seccomp",
	"select", "semctl", "semget", "semop", "semtimedop", "semtimedop_time64", "send",
	"sendfile", "sendfile64", "sendmmsg", "sendmsg", "sendto", "set_robust_list",
	"set_thread_area", "set_tid_address", "setfsgid", "setfsgid32", "setfsuid", "setfsuid32",
	"setgid", "setgid32", "setgroups", "setgroups32", "setitimer", "setpgid", "setpriority",
	"setregid", "setregid32", "setresgid", "setresgid32", "setresuid", "setresuid32",
	"setreuid", "setreuid32", "setrlimit", "setsid", "setsockopt", "setuid", "setuid32",
	"setxattr", "setxattrat", "shmat", "shmctl", "shmdt", "shmget", "shutdown", "sigaltstack",
	"signalfd", "signalfd4", "sigprocmask", "sigreturn", "socketcall", "socketpair", "splice",
	"stat", "stat64", "statfs", "statfs64", "statmount", "statx", "symlink", "symlinkat",
	"sync", "sync_file_range", "syncfs", "sysinfo", "tee", "tgkill", "time", "timer_create",
	"timer_delete", "timer_getoverrun", "timer_gettime", "timer_gettime64", "timer_settime",
	"timer_settime64", "timerfd_create", "timerfd_gettime", "timerfd_gettime64",
	"timerfd_settime", "timerfd_settime64", "times", "tkill", "truncate", "truncate64",
	"ugetrlimit", "umask", "uname", "unlink", "unlinkat", "uretprobe", "utime", "utimensat",
	"utimensat_time64", "utimes", "vfork", "vmsplice", "wait4", "waitid", "waitpid", "write",
	"writev",
	NULL,
};

const struct seccomp_rule seccomp_default_rules[] = {
	{always, SCMP_ACT_ALLOW},
	{LIST("process_vm_readv", "process_vm_writev", "ptrace"), SCMP_ACT_ALLOW},

	/* Families: neither AF_ALG (38) nor AF_VSOCK (40). */
	{LIST("socket"), SCMP_ACT_ALLOW, .arg_count = 1, .arg = {0, SCMP_CMP_LT, 38, 0}},
	{LIST("socket"), SCMP_ACT_ALLOW, .arg_count = 1, .arg = {0, SCMP_CMP_EQ, 39, 0}},
	{LIST("socket"), SCMP_ACT_ALLOW, .arg_count = 1, .arg = {0, SCMP_CMP_GT, 40, 0}},

	{LIST("personality"), SCMP_ACT_ALLOW, .arg_count = 1, .arg = {0, SCMP_CMP_EQ, 0x0, 0}},
	{LIST("personality"), SCMP_ACT_ALLOW, .arg_count = 1, .arg = {0, SCMP_CMP_EQ, 0x8, 0}},
	{LIST("personality"), SCMP_ACT_ALLOW, .arg_count = 1, .arg = {0, SCMP_CMP_EQ, 0x20000, 0}},
	{LIST("personality"), SCMP_ACT_ALLOW, .arg_count = 1, .arg = {0, SCMP_CMP_EQ, 0x20008, 0}},
	{LIST("personality"), SCMP_ACT_ALLOW, .arg_count = 1, .arg = {0, SCMP_CMP_EQ, 0xffffffff, 0}},

	{LIST("arm_fadvise64_64", "arm_sync_file_range", "sync_file_range2", "breakpoint",
	      "cacheflush", "set_tls"), SCMP_ACT_ALLOW, .arches = SECCOMP_ARM64},
	{LIST("arch_prctl"), SCMP_ACT_ALLOW, .arches = SECCOMP_AMD64},
	{LIST("modify_ldt"), SCMP_ACT_ALLOW, .arches = SECCOMP_AMD64},

	{LIST("open_by_handle_at"), SCMP_ACT_ALLOW, .with = BIT(CAP_DAC_READ_SEARCH)},
	{LIST("bpf", "clone", "clone3", "fanotify_init", "fsconfig", "fsmount", "fsopen", "fspick",
	      "lookup_dcookie", "mount", "mount_setattr", "move_mount", "open_tree",
	      "perf_event_open", "quotactl", "quotactl_fd", "setdomainname", "sethostname",
	      "setns", "syslog", "umount", "umount2", "unshare"), SCMP_ACT_ALLOW, .with = ADMIN},
	{LIST("clone"), SCMP_ACT_ALLOW, .without = ADMIN, .arg_count = 1,
	 .arg = {0, SCMP_CMP_MASKED_EQ, CLONE_MASK, 0}},
	/* Its flags lie in memory where no filter sees them: glibc falls back to clone(). */
	{LIST("clone3"), SCMP_ACT_ERRNO(ENOSYS), .without = ADMIN},
	{LIST("reboot"), SCMP_ACT_ALLOW, .with = BIT(CAP_SYS_BOOT)},
	{LIST("chroot"), SCMP_ACT_ALLOW, .with = BIT(CAP_SYS_CHROOT)},
	{LIST("delete_module", "init_module", "finit_module"), SCMP_ACT_ALLOW,
	 .with = BIT(CAP_SYS_MODULE)},
	{LIST("acct"), SCMP_ACT_ALLOW, .with = BIT(CAP_SYS_PACCT)},
	{LIST("kcmp", "pidfd_getfd", "process_madvise", "process_vm_readv", "process_vm_writev",
	      "ptrace"), SCMP_ACT_ALLOW, .with = BIT(CAP_SYS_PTRACE)},
	{LIST("iopl", "ioperm"), SCMP_ACT_ALLOW, .with = BIT(CAP_SYS_RAWIO)},
	{LIST("settimeofday", "stime", "clock_settime", "clock_settime64"), SCMP_ACT_ALLOW,
	 .with = BIT(CAP_SYS_TIME)},
	{LIST("vhangup"), SCMP_ACT_ALLOW, .with = BIT(CAP_SYS_TTY_CONFIG)},
	{LIST("get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node"), SCMP_ACT_ALLOW,
	 .with = BIT(CAP_SYS_NICE)},
	{LIST("syslog"), SCMP_ACT_ALLOW, .with = BIT(CAP_SYSLOG)},
	{LIST("bpf"), SCMP_ACT_ALLOW, .with = BIT(CAP_BPF)},
	{LIST("perf_event_open"), SCMP_ACT_ALLOW, .with = BIT(CAP_PERFMON)},
};
/* clang-format on */

const size_t seccomp_default_rule_count = ARRAY_SIZE(seccomp_default_rules);

static const struct {
	const char *name;
	int number;
} new_calls[] = {
	{"quotactl_fd", 443},
	{"memfd_secret", 447},
	{"process_mrelease", 448},
	{"futex_waitv", 449},
	{"set_mempolicy_home_node", 450},
	{"cachestat", 451},
	{"fchmodat2", 452},
	{"map_shadow_stack", 453},
	{"futex_wake", 454},
	{"futex_wait", 455},
	{"futex_requeue", 456},
	{"statmount", 457},
	{"listmount", 458},
	{"lsm_get_self_attr", 459},
	{"lsm_set_self_attr", 460},
	{"lsm_list_modules", 461},
	{"mseal", 462},
	{"setxattrat", 463},
	{"getxattrat", 464},
	{"listxattrat", 465},
	{"removexattrat", 466},
	{"open_tree_attr", 467},
	{"file_getattr", 468},
	{"file_setattr", 469},
};

#if defined(__x86_64__)
#	define OUR_ARCHES SECCOMP_AMD64
#else
#	define OUR_ARCHES SECCOMP_ARM64
#endif

bool seccomp_rule_applies(const struct seccomp_rule *rule, uint64_t capabilities)
{
	return (rule->arches == SECCOMP_ANY || rule->arches == OUR_ARCHES) &&
	       (capabilities & rule->with) == rule->with && !(capabilities & rule->without);
}

int seccomp_new_call(const char *name)
{
	array_foreach(call, new_calls)
		if (strcmp(call->name, name) == 0)
			return call->number;
	return -1;
}
