/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_PORTS_AUTO_H
#define COMPOSE_CLI_PORTS_AUTO_H

/*
 * ports_auto.h - `--ports auto`: published ports that somebody else has are published elsewhere,
 * so that two checkouts of one project can be up side by side.
 *
 * What is chosen is remembered for the folder and name of the project, below BERTH_ROOT/ports, and
 * holds for every later command until one says `--ports fixed` or `down --volumes` takes all of the
 * project. What was remembered for a folder that is no more goes with the next choice.
 */

#include <stdbool.h>

#include "common/error.h"

#include "compose/model/project.h"

struct ports_auto;

/*
 * Puts free ports for taken ones into @project and says so on stderr. @mode: "auto", "fixed", or
 * NULL: BERTH_PORTS, else auto where something is remembered. @dry_run: remembers nothing.
 * *ret (NULL where ports are fixed) borrows @project. -EINVAL: there is no such mode.
 */
int ports_auto_apply(struct project *project, const char *mode, bool dry_run,
		     struct ports_auto **ret, struct error *err);
/* Looks again: a port may have been taken since. True when another one was chosen. */
bool ports_auto_again(struct ports_auto *ports);
/* @folder: the project's; NULL: whichever it was in. */
void ports_auto_forget(const char *project, const char *folder);
void ports_auto_free(struct ports_auto *ports);

#endif
