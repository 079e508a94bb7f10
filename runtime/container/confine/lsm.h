/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_CONTAINER_CONFINE_LSM_H
#define RUNTIME_CONTAINER_CONFINE_LSM_H

/* lsm.h - which of the modules that take a label by name this machine has. */

#include <stdbool.h>

/* Of this kernel, and on. */
bool lsm_has_apparmor(void);
bool lsm_has_selinux(void);
/* 1: it is loaded; 0: it is not; negative: we are not told. */
int lsm_apparmor_profile(const char *name);

#endif
