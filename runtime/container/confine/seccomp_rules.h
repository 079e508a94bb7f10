/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_CONTAINER_CONFINE_SECCOMP_RULES_H
#define RUNTIME_CONTAINER_CONFINE_SECCOMP_RULES_H

/*
 * seccomp_rules.h - Docker's default profile as rows.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/libseccomp.h"

enum seccomp_arches {
	SECCOMP_ANY = 0,
	SECCOMP_AMD64 = 1, /* with x86 and x32 */
	SECCOMP_ARM64 = 2, /* with arm */
};

struct seccomp_rule {
	const char *const *names; /* NULL-terminated */
	uint32_t action;
	uint64_t with, without; /* only with these capabilities; only without those */
	enum seccomp_arches arches;
	unsigned int arg_count;
	struct scmp_arg_cmp arg;
};

extern const struct seccomp_rule seccomp_default_rules[];
extern const size_t seccomp_default_rule_count;

/* On this architecture, with these capabilities. */
bool seccomp_rule_applies(const struct seccomp_rule *rule, uint64_t capabilities);

/*
 * Calls since 2019 have one number on all architectures, so those that an old libseccomp has not
 * heard of are known by it here: @name's number, or -1.
 */
int seccomp_new_call(const char *name);

#define SECCOMP_NEW_FIRST 424U /* from here on the numbers are common */
/* The last number that Docker's profile takes a stand on; what comes after does not exist. */
#define SECCOMP_NEW_LAST 466U

#endif
