/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_SUPPORT_SCRATCH_H
#define TESTS_SUPPORT_SCRATCH_H

/*
 * scratch.h - one temporary directory for the test that runs in this process.
 */

/* Makes it on the first call. A new fd of it; aborts when that fails. */
int scratch_open(void);
/* Its absolute path. */
const char *scratch_path(void);
/* Removes it with all that is in it. */
void scratch_remove(void);

#endif
