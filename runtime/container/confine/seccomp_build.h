/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_CONTAINER_CONFINE_SECCOMP_BUILD_H
#define RUNTIME_CONTAINER_CONFINE_SECCOMP_BUILD_H

/*
 * seccomp_build.h - from rules to a BPF program, through libseccomp and around its age.
 *
 * A call newer than the profile must look as if the kernel had none (ENOSYS), or else programs do
 * not take their older way; and one that the profile knows but libseccomp does not is let through
 * by its number. Both are a few instructions put before libseccomp's.
 */

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/libseccomp.h"

struct seccomp_build {
	scmp_filter_ctx filter;
	uint32_t otherwise;    /* the default action */
	uint32_t fresh[128];   /* new calls that libseccomp does not know... */
	uint32_t actions[128]; /* ... and what to do */
	size_t fresh_count;
};

int seccomp_build_begin(struct seccomp_build *build, uint32_t otherwise, struct error *err);
/* A name that nobody knows is passed over: it is of another architecture or time. */
int seccomp_build_add(struct seccomp_build *build, const char *name, uint32_t action,
		      const struct scmp_arg_cmp *args, unsigned int arg_count, struct error *err);
/* The program, one allocation: seccomp_program_free(). */
int seccomp_build_end(struct seccomp_build *build, struct sock_fprog **ret, struct error *err);
void seccomp_build_done(struct seccomp_build *build);

#endif
