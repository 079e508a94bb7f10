/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_LIBSECCOMP_H
#define COMMON_LIBSECCOMP_H

/*
 * libseccomp.h - libseccomp, opened by who makes a filter.
 *
 * Without it seccomp_init() returns NULL and no system call has a number. Its rules with arguments
 * are added by seccomp_rule_add_array(): the variadic seccomp_rule_add() is not here.
 */

#include <seccomp.h>

#include "common/error.h"

/* Opens it, which the calls below do by themselves as well. -ENOENT: it is not installed. */
int libseccomp_load(struct error *err);

#endif
