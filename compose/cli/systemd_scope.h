/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_SYSTEMD_SCOPE_H
#define COMPOSE_CLI_SYSTEMD_SCOPE_H

/*
 * systemd_scope.h - a project that is no unit has a scope, berth-NAME.scope: it does not end with
 * the login session that it was started from, and its control groups are its own by delegation.
 */

/*
 * Moves this process, about to be the keeper of @project, into the scope. Where systemd does not
 * run, or who runs us has delegated a group already, nothing is done; a failure is only logged.
 */
void systemd_scope_enter(const char *project);

#endif
