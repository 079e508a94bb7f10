// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which device nodes a container may make and open: rules of the devices controller on v1, and on
 * v2, which has none, a BPF program that says the same.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "common/alloc.h"
#include "common/cleanup.h"

#include "runtime/container/cgroup/internal.h"

#define RULES_MAX 512

/* Docker's: make any node, use these. (fuse, 10:229, is not among them.) */
static const struct device_rule default_rules[] = {
	{'c', -1, -1, "m", true}, {'b', -1, -1, "m", true},    {'c', 1, 3, "rwm", true},
	{'c', 1, 5, "rwm", true}, {'c', 1, 7, "rwm", true},    {'c', 1, 8, "rwm", true},
	{'c', 1, 9, "rwm", true}, {'c', 5, 0, "rwm", true},    {'c', 5, 1, "rwm", true},
	{'c', 5, 2, "rwm", true}, {'c', 136, -1, "rwm", true},
};

static void print_number(char *buffer, size_t size, int64_t n)
{
	if (n < 0)
		snprintf(buffer, size, "*");
	else
		snprintf(buffer, size, "%" PRId64, n);
}

static int write_rule(int hierarchy, const char *group, const struct device_rule *rule,
		      struct error *err)
{
	char line[96], major[24], minor[24];
	int r;

	print_number(major, sizeof(major), rule->major);
	print_number(minor, sizeof(minor), rule->minor);
	snprintf(line, sizeof(line), "%c %s:%s %s", rule->type, major, minor, rule->access);
	r = group_write(hierarchy, group, rule->allow ? "devices.allow" : "devices.deny", line);
	if (r < 0)
		return error_code(err, r, "device rule '%s'", line);
	return 0;
}

int devices_apply_v1(int hierarchy, const char *group, const struct resources_spec *resources,
		     struct error *err)
{
	static const struct device_rule none = {'a', -1, -1, "rwm", false};
	int r;

	if (resources->all_devices)
		return 0;
	r = write_rule(hierarchy, group, &none, err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(default_rules); i++)
		r = write_rule(hierarchy, group, &default_rules[i], err);
	for (size_t i = 0; r == 0 && i < resources->device_rule_count; i++)
		r = write_rule(hierarchy, group, &resources->device_rules[i], err);
	return r;
}

struct program {
	struct bpf_insn insns[RULES_MAX * 12 + 16];
	size_t count;
};

static void add(struct program *p, __u8 code, __u8 dst, __u8 src, __s16 off, __s32 imm)
{
	p->insns[p->count++] = (struct bpf_insn){
		.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
}

static unsigned int access_bits(const char *access)
{
	unsigned int bits = 0;

	for (; *access; access++)
		bits |= *access == 'r'   ? BPF_DEVCG_ACC_READ
			: *access == 'w' ? BPF_DEVCG_ACC_WRITE
			: *access == 'm' ? BPF_DEVCG_ACC_MKNOD
					 : 0;
	return bits;
}

/* r2: type, r3: access, r4: major, r5: minor. Falls through to the next rule unless it decides. */
static void add_rule(struct program *p, const struct device_rule *rule)
{
	unsigned int bits = access_bits(rule->access);
	size_t jumps[5], n = 0;

	if (rule->type != 'a') {
		jumps[n++] = p->count;
		add(p, BPF_JMP | BPF_JNE | BPF_K, 2, 0, 0,
		    rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	}
	if (bits != (BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE | BPF_DEVCG_ACC_MKNOD)) {
		add(p, BPF_ALU64 | BPF_MOV | BPF_X, 1, 3, 0, 0);
		if (rule->allow) {
			/* All that is asked for must be allowed: nothing is left outside of it. */
			add(p, BPF_ALU | BPF_AND | BPF_K, 1, 0, 0, (__s32)~bits & 7);
			jumps[n++] = p->count;
			add(p, BPF_JMP | BPF_JNE | BPF_K, 1, 0, 0, 0);
		} else {
			/* One part that is denied denies the whole. */
			add(p, BPF_ALU | BPF_AND | BPF_K, 1, 0, 0, (__s32)bits);
			jumps[n++] = p->count;
			add(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0, 0);
		}
	}
	if (rule->major >= 0) {
		jumps[n++] = p->count;
		add(p, BPF_JMP | BPF_JNE | BPF_K, 4, 0, 0, (__s32)rule->major);
	}
	if (rule->minor >= 0) {
		jumps[n++] = p->count;
		add(p, BPF_JMP | BPF_JNE | BPF_K, 5, 0, 0, (__s32)rule->minor);
	}
	add(p, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, rule->allow);
	add(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	for (size_t i = 0; i < n; i++)
		p->insns[jumps[i]].off = (__s16)(p->count - jumps[i] - 1);
}

/* The last rule that matches decides on v1; the first one here: so they go in from the last. */
static void build(struct program *p, const struct resources_spec *resources)
{
	/* struct bpf_cgroup_dev_ctx: access_type (type | access << 16), major, minor */
	add(p, BPF_LDX | BPF_MEM | BPF_W, 2, 1, 0, 0);
	add(p, BPF_ALU64 | BPF_MOV | BPF_X, 3, 2, 0, 0);
	add(p, BPF_ALU | BPF_AND | BPF_K, 2, 0, 0, 0xffff);
	add(p, BPF_ALU | BPF_RSH | BPF_K, 3, 0, 0, 16);
	add(p, BPF_LDX | BPF_MEM | BPF_W, 4, 1, 4, 0);
	add(p, BPF_LDX | BPF_MEM | BPF_W, 5, 1, 8, 0);
	for (size_t i = resources->device_rule_count; i--;)
		add_rule(p, &resources->device_rules[i]);
	for (size_t i = ARRAY_SIZE(default_rules); i--;)
		add_rule(p, &default_rules[i]);
	add(p, BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
	add(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static int load(const struct program *p)
{
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insns = (__u64)(uintptr_t)p->insns,
		.insn_cnt = (__u32)p->count,
		.license = (__u64)(uintptr_t) "GPL",
	};
	int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	return fd < 0 ? -errno : fd;
}

/* Most containers have the default rules alone: that program is loaded once. */
static int default_program(const struct resources_spec *resources, bool *ret_cached)
{
	static int cached = -EBADF;
	struct program *p;
	int fd;

	*ret_cached = resources->device_rule_count == 0;
	if (*ret_cached && cached >= 0)
		return cached;
	p = new (struct program);
	build(p, resources);
	fd = load(p);
	free(p);
	if (*ret_cached && fd >= 0)
		cached = fd;
	return fd;
}

int devices_apply_v2(int hierarchy, const char *group, const struct resources_spec *resources,
		     struct error *err)
{
	_cleanup_close_ int dir = -EBADF, own = -EBADF;
	union bpf_attr attr = {.attach_type = BPF_CGROUP_DEVICE};
	bool cached;
	int program;

	if (resources->all_devices)
		return 0;
	if (resources->device_rule_count > RULES_MAX - ARRAY_SIZE(default_rules))
		return error_set(err, E2BIG, "device rules: more than %zu",
				 RULES_MAX - ARRAY_SIZE(default_rules));
	dir = openat(hierarchy, group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_errno(err, "device rules: open the control group");
	program = default_program(resources, &cached);
	/* Rootless, or bpf() is locked: no node can be made there that the host's rights deny. */
	if (program == -EPERM || program == -ENOSYS)
		return 1;
	if (program < 0)
		return error_code(err, program, "device rules: load them");
	if (!cached)
		own = program;
	attr.target_fd = (__u32)dir;
	attr.attach_bpf_fd = (__u32)program;
	if (syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof(attr)) < 0)
		return error_errno(err, "device rules: attach them");
	return 0;
}
