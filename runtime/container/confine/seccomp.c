// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/container/confine/seccomp.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"

#include "runtime/container/confine/seccomp_build.h"
#include "runtime/container/confine/seccomp_rules.h"
#include "runtime/container/confine/seccomp_tree.h"

static int add_rule(struct seccomp_build *build, const struct seccomp_rule *rule, struct error *err)
{
	for (const char *const *name = rule->names; *name; name++) {
		int r = seccomp_build_add(build, *name, rule->action, &rule->arg, rule->arg_count,
					  err);

		if (r < 0)
			return r;
	}
	return 0;
}

int seccomp_library_program(uint64_t capabilities, struct sock_fprog **ret, struct error *err)
{
	_cleanup_(seccomp_build_done) struct seccomp_build build = {0};
	int r = seccomp_build_begin(&build, SCMP_ACT_ERRNO(EPERM), err);

	for (size_t i = 0; r == 0 && i < seccomp_default_rule_count; i++)
		if (seccomp_rule_applies(&seccomp_default_rules[i], capabilities))
			r = add_rule(&build, &seccomp_default_rules[i], err);
	return r < 0 ? r : seccomp_build_end(&build, ret, err);
}

/* Capabilities that no rule asks for must not make another program. */
static uint64_t relevant(uint64_t capabilities)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < seccomp_default_rule_count; i++)
		mask |= seccomp_default_rules[i].with | seccomp_default_rules[i].without;
	return capabilities & mask;
}

int seccomp_default_program(uint64_t capabilities, const struct sock_fprog **ret, struct error *err)
{
	static struct {
		uint64_t capabilities;
		struct sock_fprog *program;
	} * cache;
	static size_t cached;
	struct sock_fprog *program;
	int r;

	capabilities = relevant(capabilities);
	for (size_t i = 0; i < cached; i++) {
		if (cache[i].capabilities != capabilities)
			continue;
		*ret = cache[i].program;
		return 0;
	}
	r = seccomp_tree_program(capabilities, &program, err);
	if (r < 0)
		return r;
	cache = alloc_grow(cache, cached, sizeof(*cache));
	cache[cached].capabilities = capabilities;
	cache[cached++].program = program;
	*ret = program;
	return 0;
}
