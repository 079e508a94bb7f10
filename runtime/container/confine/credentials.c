// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Limits, ids, capabilities, and the filter of system calls.
 *
 * The filter comes last, right before execve, though without no_new_privs only CAP_SYS_ADMIN may
 * set it: so that one capability is kept until then and goes with one capset() afterwards. Few
 * calls then have to pass the filter ourselves: capset, close, fcntl and execve.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/cleanup.h"
#include "common/rootless.h"

#include "runtime/container/birth.h"
#include "runtime/container/confine/seccomp.h"

static int write_oom_score(int score, struct error *err)
{
	_cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", score);

	if (fd < 0)
		return error_errno(err, "oom_score_adj");
	/* To lower it takes CAP_SYS_RESOURCE; without it the container runs with what it got. */
	if (write(fd, text, (size_t)n) < 0 && errno != EACCES && errno != EPERM)
		return error_errno(err, "oom_score_adj %d", score);
	return 0;
}

/* A hard limit above our own takes CAP_SYS_RESOURCE; without it our own is the most there is. */
static int set_rlimit(const struct rlimit_spec *row, struct error *err)
{
	struct rlimit now, wanted = row->limit;

	if (setrlimit(row->resource, &wanted) == 0)
		return 0;
	if (errno != EPERM || getrlimit(row->resource, &now) < 0)
		return error_errno(err, "resource limit %d", row->resource);
	if (wanted.rlim_max > now.rlim_max)
		wanted.rlim_max = now.rlim_max;
	if (wanted.rlim_cur > wanted.rlim_max)
		wanted.rlim_cur = wanted.rlim_max;
	if (setrlimit(row->resource, &wanted) < 0)
		return error_errno(err, "resource limit %d", row->resource);
	return 0;
}

int credentials_oom_score(struct newborn *self, struct error *err)
{
	if (!self->spec->set_oom_score_adj)
		return 0;
	return write_oom_score(self->spec->oom_score_adj, err);
}

/* A program of another user can then open /dev/stdout, which is a pipe of ours. */
static void give_stdio(uid_t uid)
{
	struct stat st;

	for (int fd = 0; fd < 3; fd++)
		if (fstat(fd, &st) == 0 && st.st_uid != uid && st.st_uid == geteuid() &&
		    (S_ISFIFO(st.st_mode) || (S_ISCHR(st.st_mode) && isatty(fd))))
			if (fchown(fd, uid, (gid_t)-1) < 0)
				return; /* it then cannot open them anew, and that is all */
}

/* The host's session keyring stays outside. Where keyrings are off or used up, so be it. */
static void join_keyring(const char *id)
{
	char name[80];

	snprintf(name, sizeof(name), "_ses.%s", id ?: "berth");
	syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name);
}

static int set_capabilities(uint64_t mask, struct error *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{.effective = (__u32)mask, .permitted = (__u32)mask},
		{.effective = (__u32)(mask >> 32), .permitted = (__u32)(mask >> 32)},
	};

	if (syscall(SYS_capset, &header, data) < 0)
		return error_errno(err, "capabilities");
	return 0;
}

static int drop_bounding(uint64_t keep, struct error *err)
{
	uint64_t all = capability_all();

	for (int cap = 0; cap < 64; cap++) {
		uint64_t bit = UINT64_C(1) << cap;

		if ((all & bit) && !(keep & bit) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 &&
		    errno != EINVAL)
			return error_errno(err, "capabilities: drop %d", cap);
	}
	return 0;
}

/* What can be had: of what is asked, that which we have ourselves. */
static uint64_t permitted_now(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	if (syscall(SYS_capget, &header, data) < 0)
		return 0;
	return data[0].permitted | (uint64_t)data[1].permitted << 32;
}

/* Docker: root gets its capabilities effective, anybody else has them in the bounding set only. */
static uint64_t final_capabilities(const struct newborn *self)
{
	return self->account.uid == 0 ? self->spec->capabilities & permitted_now() : 0;
}

int credentials_drop(struct newborn *self, struct error *err)
{
	const struct container_spec *spec = self->spec;
	const struct account *account = &self->account;
	uint64_t keep;
	int r;

	/* Not before: a low limit of open files is for the program, not for what made it. */
	for (size_t i = 0; i < spec->rlimit_count; i++) {
		r = set_rlimit(&spec->rlimits[i], err);
		if (r < 0)
			return r;
	}
	give_stdio(account->uid);
	join_keyring(spec->id);
	umask(022);
	r = drop_bounding(spec->capabilities, err);
	if (r < 0)
		return r;
	/* Raw calls: glibc's would look for other threads to tell. */
	if (syscall(SYS_setgroups, account->group_count, account->groups) < 0)
		return rootless_id_error(account->uid, account->gid, "become", err);
	if (syscall(SYS_setresgid, account->gid, account->gid, account->gid) < 0)
		return rootless_id_error(account->uid, account->gid, "become", err);
	prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (syscall(SYS_setresuid, account->uid, account->uid, account->uid) < 0)
		return rootless_id_error(account->uid, account->gid, "become", err);
	keep = final_capabilities(self);
	if (spec->seccomp_program && !spec->no_new_privileges)
		keep |= UINT64_C(1) << CAP_SYS_ADMIN & permitted_now();
	r = set_capabilities(keep, err);
	prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	return r;
}

int credentials_seal(struct newborn *self, struct error *err)
{
	const struct container_spec *spec = self->spec;
	/* Asked before the filter, which may not let capget() through. */
	uint64_t last = final_capabilities(self);
	sigset_t none;

	if (spec->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(err, "no_new_privileges");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!spec->seccomp_program)
		return 0;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, spec->seccomp_program) < 0)
		return error_errno(err, "seccomp filter");
	return spec->no_new_privileges ? 0 : set_capabilities(last, err);
}
