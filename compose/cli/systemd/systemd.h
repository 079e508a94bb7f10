/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_SYSTEMD_SYSTEMD_H
#define COMPOSE_CLI_SYSTEMD_SYSTEMD_H

/*
 * systemd.h - `berth systemd`: what an administrator calls (systemd.c, systemd_status.c), and what
 * the unit calls (systemd_service.c).
 */

#include "compose/cli/command.h"

extern const struct command command_systemd_run;
extern const struct command command_systemd_reload;
extern const struct command command_systemd_stop;
extern const struct command command_systemd_settle;
extern const struct command command_systemd_status;

#endif
