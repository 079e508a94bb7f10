/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_SYSTEMD_SYSTEMD_SCOPE_H
#define COMPOSE_CLI_SYSTEMD_SYSTEMD_SCOPE_H

/*
 * systemd_scope.h - a project that is no unit has a scope, berth-NAME.scope: it does not end with
 * the login session that it was started from, and its control groups are its own by delegation.
 */

/*
 * Moves this process, about to be the keeper of @project, into the scope. Where systemd does not
 * run, or who runs us has delegated a group already, nothing is done; a failure is only logged.
 */
void systemd_scope_enter(const char *project);

/*
 * The same for the holder of an ordinary user's namespaces (rootless.h): all the user's projects
 * are in them, so that it goes with none, and lies in none's group. It does well without.
 */
void systemd_scope_enter_holder(void);

#endif
