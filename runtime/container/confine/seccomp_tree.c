// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/container/confine/seccomp_tree.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"

#include "runtime/container/confine/seccomp_rules.h"

#define CALLS_MAX      2048
#define CONDITIONS_MAX 8
#define INSNS_MAX      4096
#define WORDS_MAX      32
#define X32_BIT        0x40000000U
#define DENY           (SECCOMP_RET_ERRNO | EPERM)
#define NO_SUCH_CALL   (SECCOMP_RET_ERRNO | ENOSYS)

/* One kernel architecture, with libseccomp's names for it. */
struct arch {
	uint32_t audit;
	uint32_t token, x32; /* x32: a second set of numbers of the same architecture, or 0 */
};

static const struct arch arches[] = {
#if defined(__x86_64__)
	{AUDIT_ARCH_X86_64, SCMP_ARCH_X86_64, SCMP_ARCH_X32},
	{AUDIT_ARCH_I386, SCMP_ARCH_X86, 0},
#else
	{AUDIT_ARCH_AARCH64, SCMP_ARCH_AARCH64, 0},
	{AUDIT_ARCH_ARM, SCMP_ARCH_ARM, 0},
#endif
};

/*
 * What i386 once had as parts of socketcall() and ipc() has numbers of its own by now, for which
 * libseccomp has only names for the parts.
 */
static const struct {
	const char *name;
	uint32_t number;
} i386_calls[] = {
	{"recvmmsg", 337},   {"sendmmsg", 345},   {"socket", 359},      {"socketpair", 360},
	{"bind", 361},       {"connect", 362},    {"listen", 363},      {"accept4", 364},
	{"getsockopt", 365}, {"setsockopt", 366}, {"getsockname", 367}, {"getpeername", 368},
	{"sendto", 369},     {"sendmsg", 370},    {"recvfrom", 371},    {"recvmsg", 372},
	{"shutdown", 373},   {"semget", 393},     {"semctl", 394},      {"shmget", 395},
	{"shmctl", 396},     {"shmat", 397},      {"shmdt", 398},       {"msgget", 399},
	{"msgsnd", 400},     {"msgrcv", 401},     {"msgctl", 402},
};

/* What is done about one number: @action, unless one of the conditions holds: then allowed. */
struct verdict {
	uint32_t number, action;
	size_t condition_count;
	const struct scmp_arg_cmp *conditions[CONDITIONS_MAX];
};

struct tree {
	struct verdict calls[CALLS_MAX];
	size_t call_count;
	struct sock_filter insns[INSNS_MAX];
	size_t count;
};

static int64_t number_of(uint32_t token, const char *name)
{
	int number;

	if (token == SCMP_ARCH_X86)
		array_foreach(call, i386_calls)
			if (strcmp(call->name, name) == 0)
				return call->number;
	number = seccomp_syscall_resolve_name_arch(token, name);
	if (number >= 0)
		return number;
	if (number != __NR_SCMP_ERROR)
		return -1; /* a part of another call, or not on this architecture */
	return token == SCMP_ARCH_X32 ? -1 : seccomp_new_call(name);
}

static struct verdict *call_of(struct tree *tree, uint32_t number)
{
	for (size_t i = 0; i < tree->call_count; i++)
		if (tree->calls[i].number == number)
			return &tree->calls[i];
	if (tree->call_count == CALLS_MAX)
		abort(); /* our own table has grown: so must this */
	tree->calls[tree->call_count] = (struct verdict){.number = number, .action = DENY};
	return &tree->calls[tree->call_count++];
}

static void add_rule(struct tree *tree, uint32_t token, const struct seccomp_rule *rule)
{
	for (const char *const *name = rule->names; *name; name++) {
		int64_t number = number_of(token, *name);
		struct verdict *call;

		if (number < 0)
			continue;
		call = call_of(tree, (uint32_t)number);
		if (!rule->arg_count)
			call->action = rule->action;
		else if (call->condition_count < CONDITIONS_MAX)
			call->conditions[call->condition_count++] = &rule->arg;
		else
			abort();
	}
}

static size_t emit(struct tree *tree, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	if (tree->count == INSNS_MAX)
		abort();
	tree->insns[tree->count] = (struct sock_filter){.code = code, .jt = jt, .jf = jf, .k = k};
	return tree->count++;
}

/*
 * Allows when the condition holds, else falls through. All calls with conditions take an argument
 * of 32 bits, so the kernel never sees the upper half: to compare it would be a way around.
 */
static void emit_condition(struct tree *tree, const struct scmp_arg_cmp *arg)
{
	uint32_t value = (uint32_t)arg->datum_a;

	emit(tree, BPF_LD | BPF_W | BPF_ABS, 0, 0,
	     (uint32_t)(offsetof(struct seccomp_data, args) + 8 * arg->arg));
	if (arg->op == SCMP_CMP_MASKED_EQ) {
		emit(tree, BPF_ALU | BPF_AND | BPF_K, 0, 0, value);
		emit(tree, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (uint32_t)arg->datum_b);
	} else if (arg->op == SCMP_CMP_EQ) {
		emit(tree, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, value);
	} else if (arg->op == SCMP_CMP_GT) {
		emit(tree, BPF_JMP | BPF_JGT | BPF_K, 0, 1, value);
	} else {
		emit(tree, BPF_JMP | BPF_JGE | BPF_K, 1, 0, value); /* SCMP_CMP_LT */
	}
	emit(tree, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
}

static void emit_verdict(struct tree *tree, const struct verdict *v)
{
	if (v->action != SECCOMP_RET_ALLOW)
		for (size_t i = 0; i < v->condition_count; i++)
			emit_condition(tree, v->conditions[i]);
	emit(tree, BPF_RET | BPF_K, 0, 0, v->action);
}

/* Conditions, and answers that are neither yes nor no, are looked for by number. */
static void emit_specials(struct tree *tree)
{
	for (size_t i = 0; i < tree->call_count; i++) {
		const struct verdict *v = &tree->calls[i];
		size_t jump;

		if (v->action == SECCOMP_RET_ALLOW || (v->action == DENY && !v->condition_count))
			continue;
		jump = emit(tree, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, v->number);
		emit_verdict(tree, v);
		tree->insns[jump].jf = (uint8_t)(tree->count - jump - 1);
	}
}

/* Bit n of word w: number @base + 32 * w + n is allowed. The number of words that are needed. */
static size_t make_words(const struct tree *tree, uint32_t base, uint32_t words[WORDS_MAX])
{
	size_t count = 0;

	memset(words, 0, WORDS_MAX * sizeof(*words));
	for (size_t i = 0; i < tree->call_count; i++) {
		uint32_t n = tree->calls[i].number - base;

		if (tree->calls[i].action != SECCOMP_RET_ALLOW || n >= 32 * WORDS_MAX)
			continue;
		words[n / 32] |= UINT32_C(1) << n % 32;
		if (n / 32 >= count)
			count = n / 32 + 1;
	}
	return count;
}

/* Loads the word that the number in the accumulator belongs to, and jumps to the test. */
static void emit_search(struct tree *tree, const uint32_t *words, uint32_t base, size_t from,
			size_t to, size_t *jumps, size_t *jump_count)
{
	size_t middle = from + (to - from) / 2, jump;

	if (to - from == 1) {
		emit(tree, BPF_LD | BPF_IMM, 0, 0, words[from]);
		jumps[(*jump_count)++] = emit(tree, BPF_JMP | BPF_JA, 0, 0, 0);
		return;
	}
	jump = emit(tree, BPF_JMP | BPF_JGE | BPF_K, 0, 0, base + 32 * (uint32_t)middle);
	emit_search(tree, words, base, from, middle, jumps, jump_count);
	tree->insns[jump].jt = (uint8_t)(tree->count - jump - 1);
	emit_search(tree, words, base, middle, to, jumps, jump_count);
}

/*
 * The numbers from @base on: specials first, then one bit for each. Beyond what the profile takes
 * a stand on comes @beyond. The kernel remembers which calls are always allowed and asks us about
 * the others only, so the order is of no matter to them.
 */
static void emit_section(struct tree *tree, uint32_t base, uint32_t beyond)
{
	uint32_t words[WORDS_MAX];
	size_t count = make_words(tree, base, words), jumps[WORDS_MAX], jump_count = 0;
	uint32_t last = beyond == NO_SUCH_CALL ? SECCOMP_NEW_LAST : base + 32 * (uint32_t)count - 1;

	emit_specials(tree);
	emit(tree, BPF_JMP | BPF_JGT | BPF_K, 0, 1, last);
	emit(tree, BPF_RET | BPF_K, 0, 0, beyond);
	emit(tree, BPF_ST, 0, 0, 0);
	emit(tree, BPF_ALU | BPF_AND | BPF_K, 0, 0, 31);
	emit(tree, BPF_MISC | BPF_TAX, 0, 0, 0);
	emit(tree, BPF_LD | BPF_MEM, 0, 0, 0);
	emit_search(tree, words, base, 0, count, jumps, &jump_count);
	for (size_t i = 0; i < jump_count; i++)
		tree->insns[jumps[i]].k = (uint32_t)(tree->count - jumps[i] - 1);
	emit(tree, BPF_ALU | BPF_RSH | BPF_X, 0, 0, 0);
	emit(tree, BPF_JMP | BPF_JSET | BPF_K, 0, 1, 1);
	emit(tree, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	emit(tree, BPF_RET | BPF_K, 0, 0, DENY);
}

static void add_rules(struct tree *tree, uint32_t token, uint64_t capabilities)
{
	tree->call_count = 0;
	for (size_t i = 0; i < seccomp_default_rule_count; i++)
		if (seccomp_rule_applies(&seccomp_default_rules[i], capabilities))
			add_rule(tree, token, &seccomp_default_rules[i]);
}

static void emit_arch(struct tree *tree, const struct arch *arch, uint64_t capabilities)
{
	size_t jump, x32 = 0;

	emit(tree, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, arch->audit);
	jump = emit(tree, BPF_JMP | BPF_JA, 0, 0, 0);
	emit(tree, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	if (arch->x32) {
		emit(tree, BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
		x32 = emit(tree, BPF_JMP | BPF_JA, 0, 0, 0);
	}
	add_rules(tree, arch->token, capabilities);
	emit_section(tree, 0, NO_SUCH_CALL);
	if (arch->x32) {
		tree->insns[x32].k = (uint32_t)(tree->count - x32 - 1);
		add_rules(tree, arch->x32, capabilities);
		emit_section(tree, X32_BIT, DENY);
	}
	tree->insns[jump].k = (uint32_t)(tree->count - jump - 1);
}

int seccomp_tree_program(uint64_t capabilities, struct sock_fprog **ret, struct error *err)
{
	struct sock_fprog *program;
	struct tree *tree;
	size_t size;

	if (libseccomp_load(err) < 0)
		return -err->code;
	tree = new (struct tree);
	emit(tree, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
	array_foreach(arch, arches)
		emit_arch(tree, arch, capabilities);
	/* As libseccomp: a foreign architecture is not a call that could be refused. */
	emit(tree, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_THREAD);
	size = tree->count * sizeof(*tree->insns);
	program = alloc(sizeof(*program) + size);
	program->filter = (struct sock_filter *)(program + 1);
	program->len = (unsigned short)tree->count;
	memcpy(program->filter, tree->insns, size);
	free(tree);
	*ret = program;
	return 0;
}
