// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/container/confine/seccomp_build.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"

#include "runtime/container/confine/seccomp.h"
#include "runtime/container/confine/seccomp_rules.h"

#define X32_BIT 0x40000000U

static void add_arches(scmp_filter_ctx filter)
{
#if defined(__x86_64__)
	(void)seccomp_arch_add(filter, SCMP_ARCH_X86);
	(void)seccomp_arch_add(filter, SCMP_ARCH_X32);
#elif defined(__aarch64__)
	(void)seccomp_arch_add(filter, SCMP_ARCH_ARM);
#endif
}

int seccomp_build_begin(struct seccomp_build *build, uint32_t otherwise, struct error *err)
{
	int r = libseccomp_load(err);

	*build = (struct seccomp_build){.otherwise = otherwise};
	if (r < 0)
		return r;
	build->filter = seccomp_init(otherwise);
	if (!build->filter)
		return error_set(err, EINVAL, "seccomp: this default action is not possible");
	add_arches(build->filter);
	/* Sorted as a tree: some eight comparisons a call, not hundreds. */
	(void)seccomp_attr_set(build->filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return 0;
}

void seccomp_build_done(struct seccomp_build *build)
{
	if (build->filter)
		seccomp_release(build->filter);
	build->filter = NULL;
}

static int add_fresh(struct seccomp_build *build, const char *name, uint32_t action)
{
	int number = seccomp_new_call(name);

	if (number >= 0 && build->fresh_count < ARRAY_SIZE(build->fresh)) {
		build->fresh[build->fresh_count] = (uint32_t)number;
		build->actions[build->fresh_count++] = action;
	}
	return 0;
}

int seccomp_build_add(struct seccomp_build *build, const char *name, uint32_t action,
		      const struct scmp_arg_cmp *args, unsigned int arg_count, struct error *err)
{
	int number, r;

	if (action == build->otherwise)
		return 0; /* libseccomp refuses what says nothing */
	number = seccomp_syscall_resolve_name(name);
	if (number == __NR_SCMP_ERROR)
		return add_fresh(build, name, action);
	r = seccomp_rule_add_array(build->filter, action, number, arg_count, args);
	/* EEXIST: said before. EDOM: not on this architecture. */
	if (r < 0 && r != -EEXIST && r != -EDOM)
		return error_code(err, r, "seccomp: rule for %s", name);
	return 0;
}

/* SCMP_ACT_* to what the kernel returns: they are the same numbers, but for two old names. */
static uint32_t to_kernel(uint32_t action)
{
	return action == SCMP_ACT_KILL ? SECCOMP_RET_KILL_THREAD : action;
}

static struct sock_filter insn(uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	return (struct sock_filter){.code = code, .jt = jt, .jf = jf, .k = k};
}

/* Calls of the common numbers; falls through to libseccomp's program for all that it knows. */
static size_t write_prefix(const struct seccomp_build *build, struct sock_filter *at)
{
	size_t n = 0, low, x32;

	at[n++] = insn(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	low = n;
	at[n++] = insn(BPF_JMP | BPF_JGE | BPF_K, 0, 0, SECCOMP_NEW_FIRST);
	x32 = n;
	at[n++] = insn(BPF_JMP | BPF_JGE | BPF_K, 0, 0, X32_BIT);
	for (size_t i = 0; i < build->fresh_count; i++) {
		at[n++] = insn(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, build->fresh[i]);
		at[n++] = insn(BPF_RET | BPF_K, 0, 0, to_kernel(build->actions[i]));
	}
	at[n++] = insn(BPF_JMP | BPF_JGT | BPF_K, 0, 1, SECCOMP_NEW_LAST);
	at[n++] = insn(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS);
	at[low].jf = (uint8_t)(n - low - 1);
	at[x32].jt = (uint8_t)(n - x32 - 1);
	return n;
}

static int export(scmp_filter_ctx filter, struct error *err)
{
	_cleanup_close_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return error_errno(err, "seccomp: make a memfd");
	r = seccomp_export_bpf(filter, fd);
	if (r < 0)
		return error_code(err, r, "seccomp: compile the profile");
	return TAKE_FD(fd);
}

int seccomp_build_end(struct seccomp_build *build, struct sock_fprog **ret, struct error *err)
{
	_cleanup_close_ int fd = export(build->filter, err);
	struct sock_filter prefix[8 + 2 * ARRAY_SIZE(build->fresh)];
	bool strict = (build->otherwise & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ALLOW;
	size_t before, size;
	struct sock_fprog *program;
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return error_errno(err, "seccomp: compile the profile");
	size = (size_t)st.st_size;
	/* A profile that lets everything through but a few has no last call that it knows. */
	before = strict ? write_prefix(build, prefix) : 0;
	if (size / sizeof(*prefix) + before > BPF_MAXINSNS)
		return error_set(err, E2BIG, "seccomp: the profile is too long");
	program = alloc(sizeof(*program) + before * sizeof(*prefix) + size);
	program->filter = (struct sock_filter *)(program + 1);
	program->len = (unsigned short)(before + size / sizeof(*prefix));
	memcpy(program->filter, prefix, before * sizeof(*prefix));
	if (pread(fd, program->filter + before, size, 0) != (ssize_t)size) {
		free(program);
		return error_set(err, EIO, "seccomp: read the compiled profile");
	}
	*ret = program;
	return 0;
}

void seccomp_program_free(struct sock_fprog *program)
{
	free(program);
}
