// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "common/cleanup.h"

#include "runtime/container/confine/seccomp.h"
#include "runtime/container/confine/seccomp_tree.h"
#include "runtime/container/spec.h"

/* What classic BPF a filter is made of, run as the kernel runs it. */
static uint32_t run(const struct sock_fprog *program, const struct seccomp_data *data)
{
	uint32_t a = 0, x = 0, memory[BPF_MEMWORDS] = {0};

	for (size_t pc = 0; pc < program->len; pc++) {
		const struct sock_filter *f = &program->filter[pc];
		uint32_t with = BPF_SRC(f->code) == BPF_X ? x : f->k;

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			cr_assert_leq(f->k + 4, sizeof(*data));
			memcpy(&a, (const char *)data + f->k, 4);
			break;
		case BPF_LD | BPF_IMM:
			a = f->k;
			break;
		case BPF_LD | BPF_MEM:
			a = memory[f->k];
			break;
		case BPF_ST:
			memory[f->k] = a;
			break;
		case BPF_MISC | BPF_TAX:
			x = a;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f->k;
			break;
		case BPF_ALU | BPF_RSH | BPF_X:
			a >>= x;
			break;
		case BPF_JMP | BPF_JA:
			pc += f->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == with ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += a > with ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= with ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += a & with ? f->jt : f->jf;
			break;
		case BPF_RET | BPF_K:
			return f->k;
		default:
			cr_assert(false, "instruction %#x", f->code);
		}
	}
	cr_assert(false, "the program has no end");
	return 0;
}

static const uint64_t capability_sets[] = {
	CAPABILITY_MASK_DOCKER_DEFAULT,
	0,
	UINT64_MAX,
	CAPABILITY_MASK_DOCKER_DEFAULT | UINT64_C(1) << CAP_SYS_ADMIN,
	UINT64_C(1) << CAP_SYS_PTRACE | UINT64_C(1) << CAP_SYS_TIME | UINT64_C(1) << CAP_BPF,
};

/* Of 32 bits: libseccomp compares 64 of which the kernel sees half; ours must not (below). */
static const uint64_t values[] = {
	0, 1, 8, 16, 37, 38, 39, 40, 41, 0x20000, 0x20008, 0x7e020000, 0x10000000, 0xffffffff,
};

/* Our program decides as libseccomp's does, for each call, architecture and argument. */
static void compare(uint64_t capabilities, uint32_t arch, uint32_t base)
{
	struct sock_fprog *ours = NULL, *theirs = NULL;
	struct error err = ERROR_INIT;
	int wrong = 0;

	cr_assert_eq(seccomp_tree_program(capabilities, &ours, &err), 0, "%s", err.message);
	cr_assert_eq(seccomp_library_program(capabilities, &theirs, &err), 0, "%s", err.message);
	for (uint32_t n = 0; n < 700; n++) {
		array_foreach(value, values) {
			struct seccomp_data data = {
				.nr = (int)(base + n), .arch = arch, .args = {*value}};
			uint32_t a = run(ours, &data), b = run(theirs, &data);

			if (a != b && wrong++ < 10)
				cr_expect_eq(a, b, "caps %#lx arch %#x call %u(%#lx): %#x, not %#x",
					     (unsigned long)capabilities, arch, n,
					     (unsigned long)*value, a, b);
		}
	}
	seccomp_program_free(ours);
	seccomp_program_free(theirs);
}

Test(seccomp, decides_as_libseccomp, .timeout = 60)
{
	array_foreach(set, capability_sets) {
#if defined(__x86_64__)
		compare(*set, AUDIT_ARCH_X86_64, 0);
		compare(*set, AUDIT_ARCH_X86_64, 0x40000000);
		compare(*set, AUDIT_ARCH_I386, 0);
#else
		compare(*set, AUDIT_ARCH_AARCH64, 0);
		compare(*set, AUDIT_ARCH_ARM, 0);
#endif
	}
}

static const struct {
	const char *name;
	int number;
	uint64_t argument, capabilities;
	uint32_t expect;
} calls[] = {
	{"read", SYS_read, 0, 0, SECCOMP_RET_ALLOW},
	{"unshare", SYS_unshare, 0, 0, SECCOMP_RET_ERRNO | EPERM},
	{"unshare", SYS_unshare, 0, UINT64_C(1) << CAP_SYS_ADMIN, SECCOMP_RET_ALLOW},
	{"clone3", SYS_clone3, 0, 0, SECCOMP_RET_ERRNO | ENOSYS},
	{"clone", SYS_clone, 17, 0, SECCOMP_RET_ALLOW},
	{"clone(NEWUSER)", SYS_clone, 0x10000011, 0, SECCOMP_RET_ERRNO | EPERM},
	{"socket(AF_INET)", SYS_socket, 2, 0, SECCOMP_RET_ALLOW},
	{"socket(AF_ALG)", SYS_socket, 38, 0, SECCOMP_RET_ERRNO | EPERM},
	{"socket(AF_ALG) with a bit above", SYS_socket, 0x100000026, 0, SECCOMP_RET_ERRNO | EPERM},
	{"socket(AF_VSOCK)", SYS_socket, 40, 0, SECCOMP_RET_ERRNO | EPERM},
	{"keyctl", SYS_keyctl, 0, 0, SECCOMP_RET_ERRNO | EPERM},
	{"io_uring_setup", SYS_io_uring_setup, 0, 0, SECCOMP_RET_ERRNO | EPERM},
	{"bpf", SYS_bpf, 0, UINT64_C(1) << CAP_BPF, SECCOMP_RET_ALLOW},
	{"chroot", SYS_chroot, 0, UINT64_C(1) << CAP_SYS_CHROOT, SECCOMP_RET_ALLOW},
	{"chroot", SYS_chroot, 0, 0, SECCOMP_RET_ERRNO | EPERM},
	{"fchmodat2", 452, 0, 0, SECCOMP_RET_ALLOW},
	{"open_tree_attr", 467, 0, 0, SECCOMP_RET_ERRNO | ENOSYS},
	{"one of the future", 600, 0, 0, SECCOMP_RET_ERRNO | ENOSYS},
};

Test(seccomp, docker_default)
{
#if defined(__x86_64__)
	uint32_t arch = AUDIT_ARCH_X86_64;
#else
	uint32_t arch = AUDIT_ARCH_AARCH64;
#endif

	array_foreach(c, calls) {
		struct seccomp_data data = {.nr = c->number, .arch = arch, .args = {c->argument}};
		const struct sock_fprog *program, *again;
		struct error err = ERROR_INIT;

		cr_assert_eq(seccomp_default_program(c->capabilities, &program, &err), 0);
		cr_expect_eq(run(program, &data), c->expect, "%s: %#x", c->name,
			     run(program, &data));
		/* Compiled once; capabilities that no rule knows make no other program. */
		seccomp_default_program(c->capabilities | 1, &again, &err);
		cr_expect_eq(program, again);
	}
}

static const struct {
	const char *json;
	const char *error; /* NULL: a program, that says... */
	int number;
	uint64_t argument;
	uint32_t expect;
} profiles[] = {
	{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"mkdir\"],"
	 "\"action\":\"SCMP_ACT_ERRNO\"}]}",
	 NULL, SYS_mkdirat, 0, SECCOMP_RET_ALLOW},
	{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"name\":\"mkdirat\","
	 "\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":2}]}",
	 NULL, SYS_mkdirat, 0, SECCOMP_RET_ERRNO | ENOENT},
	{"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"syscalls\":[{\"names\":"
	 "[\"read\",\"no_such_call\",\"fchmodat2\"],\"action\":\"SCMP_ACT_ALLOW\"}]}",
	 NULL, SYS_write, 0, SECCOMP_RET_ERRNO | ENOSYS},
	{"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"fchmodat2\"],"
	 "\"action\":\"SCMP_ACT_ALLOW\"}]}",
	 NULL, 452, 0, SECCOMP_RET_ALLOW},
	{"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"read\"],"
	 "\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":7,"
	 "\"op\":\"SCMP_CMP_EQ\"}]}]}",
	 NULL, SYS_read, 7, SECCOMP_RET_ALLOW},
	{"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"read\"],"
	 "\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}}]}",
	 NULL, SYS_read, 0, SECCOMP_RET_ERRNO | EPERM},
	{"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"read\"],"
	 "\"action\":\"SCMP_ACT_ALLOW\",\"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\"]},"
	 "\"includes\":{\"minKernel\":\"4.8\"}}]}",
	 NULL, SYS_read, 0, SECCOMP_RET_ALLOW},
	{"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"read\"],"
	 "\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"arches\":[\"s390x\"]}}]}",
	 NULL, SYS_read, 0, SECCOMP_RET_ERRNO | EPERM},
	{"[]", "must be an object"},
	{"{", "seccomp profile"},
	{"{}", "no such action: ''"},
	{"{\"defaultAction\":\"SCMP_ACT_NOPE\"}", "no such action: 'SCMP_ACT_NOPE'"},
	{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[1],\"action\":"
	 "\"SCMP_ACT_ERRNO\"}]}",
	 "names must be strings"},
	{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":"
	 "\"SCMP_ACT_ERRNO\",\"args\":[{\"index\":6,\"op\":\"SCMP_CMP_EQ\"}]}]}",
	 "index of 0 to 5"},
	{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":"
	 "\"SCMP_ACT_ERRNO\",\"args\":[{\"index\":0,\"op\":\"LIKE\"}]}]}",
	 "no such comparison: 'LIKE'"},
	{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":"
	 "\"SCMP_ACT_ERRNO\",\"errnoRet\":70000}]}",
	 "is not an errno"},
};

Test(seccomp, profiles)
{
#if defined(__x86_64__)
	uint32_t arch = AUDIT_ARCH_X86_64;
#else
	uint32_t arch = AUDIT_ARCH_AARCH64;
#endif

	array_foreach(p, profiles) {
		struct seccomp_data data = {.nr = p->number, .arch = arch, .args = {p->argument}};
		struct sock_fprog *program = NULL;
		struct error err = ERROR_INIT;
		int r = seccomp_profile_program(p->json, 0, &program, &err);

		if (p->error) {
			cr_expect(r < 0 && strstr(err.message, p->error), "%s: '%s'", p->json,
				  err.message);
			continue;
		}
		cr_assert_eq(r, 0, "%s: %s", p->json, err.message);
		cr_expect_eq(run(program, &data), p->expect, "%s: %#x", p->json,
			     run(program, &data));
		seccomp_program_free(program);
	}
}

Test(seccomp, capability_names)
{
	uint64_t mask = 0;

	cr_expect_eq(capability_from_name("CAP_NET_ADMIN", &mask), 0);
	cr_expect_eq(mask, UINT64_C(1) << CAP_NET_ADMIN);
	cr_expect_eq(capability_from_name("checkpoint_restore", &mask), 0);
	cr_expect_eq(mask, UINT64_C(1) << 40);
	cr_expect_eq(capability_from_name("all", &mask), 0);
	cr_expect_eq(mask, capability_all());
	cr_expect_eq(mask & 1, 1);
	cr_expect_eq(capability_from_name("CAP_", &mask), -EINVAL);
	cr_expect_eq(capability_from_name("CAP_NOPE", &mask), -EINVAL);
}
