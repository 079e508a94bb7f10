// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"

#include "runtime/container/exec_pack.h"

static struct sock_filter filter[] = {BPF_STMT(BPF_RET, 7), BPF_JUMP(BPF_JMP, 4, 2, 3)};
static const struct sock_fprog program = {2, filter};
static const struct rlimit_spec limit = {.resource = 7, .limit.rlim_cur = 10, .limit.rlim_max = 20};
static const char *const args[] = {"sh", "-c", "", NULL};
static const char *const env[] = {"A=1", "PATH=/bin", NULL};
static const char *const groups[] = {"7", NULL};
static const struct container_spec full = {
	.id = "abc",
	.args = args,
	.env = env,
	.groups = groups,
	.cwd = "/tmp",
	.user = "web:7",
	.capabilities = UINT64_C(1) << 40 | 1,
	.rlimits = &limit,
	.rlimit_count = 1,
	.oom_score_adj = -5,
	.set_oom_score_adj = true,
	.no_new_privileges = true,
	.seccomp_program = &program,
	.apparmor_profile = "profile",
};

static void assert_list(const char *const *list, const char *const *expect)
{
	for (; *expect; list++, expect++)
		cr_assert_str_eq(*list, *expect);
	cr_assert_null(*list);
}

Test(exec_pack, there_and_back)
{
	struct exec_unpacked back;
	struct strbuf bytes = {0};
	struct error err = ERROR_INIT;
	const struct sock_fprog *filters;

	exec_pack(&full, &bytes);
	cr_assert_eq(exec_unpack(bytes.data, bytes.length, &back, &err), 0, "%s", err.message);
	cr_assert_str_eq(back.spec.id, "abc");
	cr_assert_str_eq(back.spec.cwd, "/tmp");
	cr_assert_str_eq(back.spec.user, "web:7");
	cr_assert_str_eq(back.spec.apparmor_profile, "profile");
	cr_assert_null(back.spec.selinux_label);
	assert_list(back.spec.args, args);
	assert_list(back.spec.env, env);
	assert_list(back.spec.groups, groups);
	cr_assert_eq(back.spec.capabilities, full.capabilities);
	cr_assert_eq(back.spec.rlimit_count, 1);
	cr_assert_eq(memcmp(&back.spec.rlimits[0].limit, &limit.limit, sizeof(struct rlimit)), 0);
	cr_assert_eq(back.spec.oom_score_adj, -5);
	cr_assert(back.spec.set_oom_score_adj && back.spec.no_new_privileges);
	cr_assert_not(back.spec.time_namespace || back.spec.terminal);
	filters = back.spec.seccomp_program;
	cr_assert_eq(filters->len, 2);
	cr_assert_eq(memcmp(filters->filter, filter, sizeof(filter)), 0);
	cr_assert_eq(back.spec.stdout_fd, -EBADF);
	cr_assert_null(back.spec.cgroup_handle);
	exec_unpacked_done(&back);
	strbuf_done(&bytes);
}

Test(exec_pack, least)
{
	static const struct container_spec least = {.id = "abc"};
	struct exec_unpacked back;
	struct strbuf bytes = {0};
	struct error err = ERROR_INIT;

	exec_pack(&least, &bytes);
	cr_assert_eq(exec_unpack(bytes.data, bytes.length, &back, &err), 0, "%s", err.message);
	cr_assert_null(back.spec.args[0]);
	cr_assert_null(back.spec.seccomp_program);
	exec_unpacked_done(&back);
	strbuf_done(&bytes);
}

/* Cut anywhere, with the size put right or not: refused, and nothing is read beyond the end. */
Test(exec_pack, cut_short)
{
	struct exec_unpacked back;
	struct strbuf bytes = {0};
	struct error err = ERROR_INIT;

	exec_pack(&full, &bytes);
	for (size_t size = 0; size < bytes.length; size++) {
		char *part = alloc_copy(bytes.data, size ? size : 1);
		uint64_t said = size;

		cr_assert_eq(exec_unpack(part, size, &back, &err), -EBADMSG, "%zu bytes", size);
		if (size >= sizeof(said))
			memcpy(part, &said, sizeof(said));
		cr_assert_eq(exec_unpack(part, size, &back, &err), -EBADMSG, "%zu bytes", size);
		free(part);
	}
	strbuf_done(&bytes);
}
