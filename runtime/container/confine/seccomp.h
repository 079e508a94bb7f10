/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_CONTAINER_CONFINE_SECCOMP_H
#define RUNTIME_CONTAINER_CONFINE_SECCOMP_H

/*
 * seccomp.h - Docker's default filter (or a profile file of its format) as a BPF program.
 *
 * A program depends on the capabilities only, so each is compiled once per process and cached:
 * hundreds of containers share it.
 */

#include <linux/filter.h>
#include <stdint.h>

#include "common/error.h"

/* Borrowed; lives as long as the process. */
int seccomp_default_program(uint64_t capabilities, const struct sock_fprog **ret,
			    struct error *err);
/* From a profile in Docker's JSON format; the caller's to seccomp_program_free(). */
int seccomp_profile_program(const char *json, uint64_t capabilities, struct sock_fprog **ret,
			    struct error *err);
void seccomp_program_free(struct sock_fprog *program);

/* "CAP_NET_ADMIN", "net_admin", "ALL" to a mask. -EINVAL: no such capability. */
int capability_from_name(const char *name, uint64_t *ret_mask);
/* All that this kernel knows. */
uint64_t capability_all(void);

#endif
