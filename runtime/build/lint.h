/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_BUILD_LINT_H
#define RUNTIME_BUILD_LINT_H

/*
 * lint.h - what is allowed in a Dockerfile and mostly not meant, by BuildKit's names of such rules.
 *
 *     # check=skip=JSONArgsRecommended,StageNameCasing;error=true
 */

#include "runtime/build/dockerfile.h"

/*
 * A text for each finding, with its place, its rule and its excerpt, but for what the directive
 * `check` skips: a strv, the caller's. *ret_error: the directive makes them an error.
 */
char **lint_run(const struct dockerfile *dockerfile, bool *ret_error);

#endif
