/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_SYSTEMD_SYSTEMD_H
#define COMPOSE_CLI_SYSTEMD_SYSTEMD_H

/*
 * systemd.h - `berth systemd`: what an administrator calls (systemd.c, systemd_status.c), and what
 * the unit calls (systemd_service.c).
 */

#include "common/error.h"

#include "compose/cli/command.h"

/*
 * The last command of a project's unit (of a user's with @user) that ends well: if it was disabled
 * while it ran, its files go now, and after the last project the template. Not if systemd is about
 * to start it once more.
 */
int systemd_settle_disabled(bool user, const char *project, struct error *err);

extern const struct command command_systemd_run;
extern const struct command command_systemd_reload;
extern const struct command command_systemd_stop;
extern const struct command command_systemd_settle;
extern const struct command command_systemd_status;

#endif
