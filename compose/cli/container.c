// SPDX-License-Identifier: GPL-2.0-or-later

/* `berth container`: docker's commands for single containers, whichever project they belong to. */

#include <stddef.h>

#include "compose/cli/command.h"

/* clang-format off */
extern const struct command command_container_attach, command_container_create, command_container_exec, command_container_kill, command_container_logs, command_container_ls, command_container_pause, command_container_restart, command_container_rm, command_container_run, command_container_start, command_container_stop, command_container_unpause, command_container_wait;

static const struct command *const children[] = {
	&command_container_attach,
	&command_container_create,
	&command_container_exec,
	&command_container_kill,
	&command_container_logs,
	&command_container_ls,
	&command_container_pause,
	&command_container_restart,
	&command_container_rm,
	&command_container_run,
	&command_container_start,
	&command_container_stop,
	&command_container_unpause,
	&command_container_wait,
	NULL,
};
/* clang-format on */

const struct command command_container = {
	.name = "container",
	.operands = "COMMAND",
	.summary = "Single containers, without a compose file, and those of all projects",
	.children = children,
};
